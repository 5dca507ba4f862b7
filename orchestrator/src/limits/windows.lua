-- Takes one from every window, or from none when one has no room.
-- KEYS: the windows. ARGV: for each its limit, its length and its grain, both in milliseconds.
-- Gives back {0, remaining, reset, remaining, reset, …}, or {number of the window that refuses,
-- retry after, reset}. A window is a hash from grain to count; what happened within one grain counts
-- as if it had happened at its end, which errs on the side of refusing.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local windows, refused = {}, nil
for i, key in ipairs(KEYS) do
  local limit = tonumber(ARGV[3 * i - 2])
  local per = tonumber(ARGV[3 * i - 1])
  local grain = tonumber(ARGV[3 * i])
  local fields = redis.call('HGETALL', key)
  local taken, first, last = 0, nil, nil
  for f = 1, #fields, 2 do
    local leaves = (tonumber(fields[f]) + 1) * grain + per
    if leaves <= now then
      redis.call('HDEL', key, fields[f])
    else
      taken = taken + tonumber(fields[f + 1])
      if not first or leaves < first then first = leaves end
      if not last or leaves > last then last = leaves end
    end
  end
  windows[i] = { taken = taken, limit = limit, per = per, grain = grain }
  if taken >= limit and (not refused or first - now > refused[2]) then
    refused = { i, first - now, last - now }
  end
end
if refused then
  return refused
end
local answer = { 0 }
for i, key in ipairs(KEYS) do
  local window = windows[i]
  local slice = math.floor(now / window.grain)
  redis.call('HINCRBY', key, slice, 1)
  redis.call('PEXPIRE', key, window.per + 2 * window.grain)
  answer[#answer + 1] = window.limit - window.taken - 1
  answer[#answer + 1] = (slice + 1) * window.grain + window.per - now
end
return answer
