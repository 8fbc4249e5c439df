// Each test runs several real programs; side by side they would only wait for one another.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
