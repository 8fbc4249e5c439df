// Keeps relative times fresh, in the words of Layout/TimeText.cs.
const length = (s) =>
  s < 5 ? '' : s < 60 ? `${Math.floor(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min`
    : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;

const refresh = () => {
  for (const time of document.querySelectorAll('time[data-relative]')) {
    const away = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const text = length(Math.abs(away));
    const said = text === '' ? 'now' : away < 0 ? `${text} ago` : `in ${text}`;
    if (time.textContent !== said) time.textContent = said;
  }
};

refresh();
setInterval(refresh, 1000);
