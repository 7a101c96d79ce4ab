-- What a lock store does, one operation at a time. The package comment of
-- redis.go tells what the keys hold.

local records, index, ends = KEYS[1], KEYS[2], KEYS[3]
local op = ARGV[1]

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

-- number writes a number without an exponent.
local function number(n) return string.format('%.0f', n) end

-- field returns the n-th field of a record.
local function field(record, n)
  local start = 1
  for _ = 2, n do
    start = string.find(record, '\0', start, true) + 1
  end
  local stop = string.find(record, '\0', start, true) or #record + 1
  return string.sub(record, start, stop - 1)
end

-- whole tells whether no key has been lost without the others.
local function whole()
  local n = redis.call('HLEN', records)
  return n == redis.call('ZCARD', ends) and 2 * n == redis.call('ZCARD', index)
end

local function at(root, flags, token) return 'p' .. root .. '\0' .. flags .. token end
local function of(holder, token) return 'h' .. holder .. '\0' .. token end

local function forget(token)
  local record = redis.call('HGET', records, token)
  if not record then return false end
  redis.call('ZREM', index, at(field(record, 3), field(record, 2), token), of(field(record, 4), token))
  redis.call('ZREM', ends, token)
  redis.call('HDEL', records, token)
  return true
end

-- begin prepares for a change: what has ended goes.
local function begin()
  if not whole() then
    redis.call('DEL', records, index, ends)
  end
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', number(now))) do
    forget(token)
  end
end

-- finish gives all keys the time of the last lock and a second.
local function finish()
  local last = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')
  if last[2] then
    local till = number(tonumber(last[2]) + 1000)
    for _, key in ipairs(KEYS) do
      redis.call('PEXPIREAT', key, till)
    end
  end
end

-- left returns the milliseconds that a lock has left, nil if none.
local function left(token)
  local till = tonumber(redis.call('ZSCORE', ends, token) or 0)
  if till > now then return number(till - now) end
end

-- put appends a lock to an answer, unless it has ended.
local function put(answer, token)
  local ms = left(token)
  if ms then
    answer[#answer + 1] = token
    answer[#answer + 1] = redis.call('HGET', records, token)
    answer[#answer + 1] = ms
  end
end

-- each calls f with flags and token of the locks rooted at path, or strictly
-- below it, until f returns true.
local function each(path, inside, f)
  local from, to
  if not inside then
    from, to = 'p' .. path .. '\0', 'p' .. path .. '\1'
  elseif path == '/' then
    from, to = 'p/\1', 'p0'
  else
    from, to = 'p' .. path .. '/', 'p' .. path .. '0'
  end
  for _, member in ipairs(redis.call('ZRANGEBYLEX', index, '[' .. from, '(' .. to)) do
    local nul = string.find(member, '\0', 1, true)
    if f(string.sub(member, nul + 1, nul + 2), string.sub(member, nul + 3)) then return end
  end
end

if op == 'add' then
  local token, record, root, holder, flags = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
  local ttl, total, perHolder, perPath, most = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
  begin()
  if redis.call('HEXISTS', records, token) == 1 then return {'ok'} end

  local shared = string.sub(flags, 1, 1) == 's'
  local answer, conflicts = {'conflict'}, 0
  local function judge(theirs, other)
    if conflicts < most and not (shared and string.sub(theirs, 1, 1) == 's') then
      conflicts = conflicts + 1
      put(answer, other)
    end
    return conflicts >= most
  end
  each(root, false, judge)
  for i = 12, #ARGV do
    each(ARGV[i], false, function(theirs, other)
      if string.sub(theirs, 2, 2) == 'i' then return judge(theirs, other) end
    end)
  end
  if string.sub(flags, 2, 2) == 'i' then each(root, true, judge) end
  if conflicts > 0 then return answer end

  if redis.call('HLEN', records) >= total
      or redis.call('ZLEXCOUNT', index, '[h' .. holder .. '\0', '(h' .. holder .. '\1') >= perHolder
      or redis.call('ZLEXCOUNT', index, '[p' .. root .. '\0', '(p' .. root .. '\1') >= perPath then
    return {'full'}
  end
  redis.call('HSET', records, token, record)
  redis.call('ZADD', index, 0, at(root, flags, token), 0, of(holder, token))
  redis.call('ZADD', ends, number(now + ttl), token)
  finish()
  return {'ok'}

elseif op == 'extend' then
  begin()
  local token, answer = ARGV[2], {'ok'}
  if redis.call('HEXISTS', records, token) == 1 then
    redis.call('ZADD', ends, number(now + tonumber(ARGV[3])), token)
    finish()
    put(answer, token)
  end
  return answer

elseif op == 'get' then
  local answer = {'ok'}
  if whole() then put(answer, ARGV[2]) end
  return answer

elseif op == 'remove' then
  begin()
  local found = forget(ARGV[2])
  finish()
  return {found and 'ok' or 'none'}

elseif op == 'drop' then
  begin()
  local function drop(_, token) forget(token) end
  each(ARGV[2], false, drop)
  each(ARGV[2], true, drop)
  finish()
  return {'ok'}

elseif op == 'find' then
  local most = tonumber(ARGV[2])
  local answer, seen, n = {'ok'}, {}, 0
  if redis.call('ZCARD', ends) == 0 or not whole() then return answer end
  local function take(_, token)
    if not seen[token] then
      seen[token] = true
      local before = #answer
      put(answer, token)
      if #answer > before then n = n + 1 end
    end
    return n > most
  end
  for i = 3, #ARGV do
    local kind, path = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
    if kind == 'd' then
      each(path, false, function(flags, token)
        if string.sub(flags, 2, 2) == 'i' then return take(flags, token) end
      end)
    else
      each(path, false, take)
      if kind == 't' then each(path, true, take) end
    end
    if n > most then return {'many'} end
  end
  return answer
end

return redis.error_reply('ERR unknown operation')
