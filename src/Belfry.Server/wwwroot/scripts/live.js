// Follows the incidents: waits for a change at /live/incidents, fetches this page again and swaps its main part.
// Someone who is typing is not disturbed: the swap waits until no field in it has the focus or unsaved text.
const busy = () => {
  const main = document.getElementById('main');
  const field = document.activeElement;
  if (main.contains(field) && /^(INPUT|TEXTAREA|SELECT)$/.test(field.tagName)) return true;
  return [...main.querySelectorAll('textarea')].some((area) => area.value !== area.defaultValue)
    || main.querySelector('input[type=checkbox]:checked, details[open]') !== null;
};

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

const swap = async () => {
  const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return false;
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('main');
  if (next === null || busy()) return false;
  const focused = document.activeElement?.id;
  document.getElementById('main').replaceWith(next);
  if (focused) document.getElementById(focused)?.focus();
  return true;
};

const follow = async () => {
  let since = document.getElementById('main').dataset.live;
  let wait = 1000;
  while (true) {
    try {
      const answer = await fetch(`/live/incidents?since=${since}`, { cache: 'no-store' });
      if (answer.status === 401 || answer.status === 403 || answer.redirected) return;
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { version } = await answer.json();
      if (String(version) !== since) {
        while (!await swap()) await pause(2000);
        since = document.getElementById('main').dataset.live;
      }
      wait = 1000;
    } catch {
      await pause(wait);
      wait = Math.min(wait * 2, 30000);
    }
  }
};

follow();
