DROP TABLE deferred_calls;
