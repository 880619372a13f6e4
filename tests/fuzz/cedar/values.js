'use strict';
// Values at the edges of every type, as Cedar text and as JSON.

const LONGS = [
  0n, 1n, -1n, 2n, 7n, 10n, 443n, 65535n, 2147483647n, -2147483648n, 4294967296n,
  9007199254740993n, -9007199254740993n, 9223372036854775807n, -9223372036854775808n,
  -9223372036854775807n, 4611686018427387904n, 3037000500n,
];

const STRINGS = [
  '', 'a', 'b', 'ab', 'A', '*', 'a*b', '\\', '"', "'", '\n', '\t', '\r', '\0', ' ', 'ä', '\u00e9',
  'e\u0301', '\u{1f600}', '\u{10ffff}', '\u2028', '\u00a0', '\ufeff', '\u007f', '\u202e', 'a.b',
  'principal', 'if', '__entity', 'jane@example.com', '/srv/data/../x', 'x'.repeat(70),
];

const IPS = [
  '0.0.0.0', '127.0.0.1', '127.0.0.1/8', '127.0.0.1/7', '10.0.0.0/8', '10.1.2.3/8', '10.1.2.3',
  '192.168.255.255/16', '224.0.0.1', '224.0.0.0/4', '224.0.0.0/3', '255.255.255.255',
  '255.255.255.255/32', '0.0.0.0/0', '::', '::1', '::1/128', '::1/127', '::/0', 'ff00::/8',
  'ff02::1', 'fe80::1/10', '2001:db8::1', '2001:DB8::1', '2001:db8:0:0:0:0:0:1', '::ffff:7f00:1',
  '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7::',
];

const BAD_IPS = [
  '', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '1.2.3.4/33', '1.2.3.4/08', '1.2.3.4/', '::/129',
  '::ffff:1.2.3.4', '1::2::3', ':::', '12345::', '1:2:3:4:5:6:7', ' 1.2.3.4', '1.2.3.4 ', '::1%eth0',
  '1.2.3.4/+8', '::1/064', '/8',
];

const DECIMALS = [
  '0.0', '-0.0', '0.1', '-0.1', '-0.1234', '1.0', '01.10', '12.3456', '922337203685477.5807',
  '-922337203685477.5808', '-922337203685477.5807', '0.0001', '-0.0001', '1.5', '1.50',
];

const BAD_DECIMALS = [
  '', '1', '1.', '.1', '1.23456', '+1.0', '1.0.0', '1e2', '922337203685477.5808',
  '-922337203685477.5809', ' 1.0', '--1.0', '1,0', '\u0661.0', '1.-1',
];

const DATETIMES = [
  '1970-01-01', '0000-01-01', '9999-12-31', '2024-02-29', '2000-02-29', '1969-12-31',
  '2024-01-01T00:00:00Z', '2024-01-01T23:59:59.999Z', '1969-12-31T23:59:59.999Z',
  '2024-06-15T12:30:45+0530', '2024-06-15T12:30:45-2359', '2024-06-15T12:30:45.001+2359',
  '0000-01-01T00:00:00+2359', '9999-12-31T23:59:59.999-2359', '1582-10-10',
];

const BAD_DATETIMES = [
  '', '2024-02-30', '2023-02-29', '1900-02-29', '2024-13-01', '2024-00-01', '2024-01-00', '24-01-01',
  '2024-1-1', '2024-01-01T24:00:00Z', '2024-01-01T00:60:00Z', '2024-01-01T00:00:60Z',
  '2024-01-01T00:00:00', '2024-01-01T00:00:00.1Z', '2024-01-01T00:00:00+2400', '2024-01-01 ',
  '2024-01-01T00:00:00+0060', '2024-01-01t00:00:00Z', '2024-01-01T00:00:00.000', '+2024-01-01',
  '12024-01-01',
];

const DURATIONS = [
  '0ms', '1ms', '-1ms', '1s', '1m', '1h', '1d', '1d2h3m4s5ms', '-1d2h3m4s5ms', '1d5ms', '90m', '24h',
  '9223372036854775807ms', '-9223372036854775808ms', '106751991167d', '-106751991167d7h12m55s808ms',
  '007s', '0d0h0m0s0ms', '-0ms', '1h1ms', '106751991167d7h12m55s807ms',
];

const BAD_DURATIONS = [
  '', '-', '1', 'ms', '1x', '1h1d', '1s1s', '1.5h', '+1s', '9223372036854775808ms', '106751991168d',
  ' 1s', '1 s', '--1s', '1d-1h', '1ms1s', '1S',
];

const EXTENSIONS = {
  ipaddr: { make: 'ip', good: IPS, bad: BAD_IPS },
  decimal: { make: 'decimal', good: DECIMALS, bad: BAD_DECIMALS },
  datetime: { make: 'datetime', good: DATETIMES, bad: BAD_DATETIMES },
  duration: { make: 'duration', good: DURATIONS, bad: BAD_DURATIONS },
};

function escapeCharacter(random, character) {
  const code = character.codePointAt(0);
  const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0', '\\': '\\\\', '"': '\\"' };
  if (short[character] !== undefined) {
    return random.chance(0.8) ? short[character] : `\\u{${code.toString(16)}}`;
  }
  if (random.chance(0.04)) return `\\u{${code.toString(16).padStart(random.between(1, 6), '0')}}`;
  if (code < 0x80 && random.chance(0.03)) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (character === "'" && random.chance(0.5)) return "\\'";
  return character;
}

// A string as a Cedar literal, escaped in one of the ways there are.
function quote(random, text) {
  return `"${[...text].map((character) => escapeCharacter(random, character)).join('')}"`;
}

function randomString(random) {
  if (random.chance(0.7)) return random.pick(STRINGS);
  return random.pick(STRINGS) + random.pick(STRINGS);
}

function randomLong(random) {
  return random.chance(0.8) ? random.pick(LONGS) : BigInt(random.between(-1000, 1000));
}

// The text that a constructor of the extension type gets; seldom one that it refuses.
function extensionText(random, name, badness = 0.02) {
  const { good, bad } = EXTENSIONS[name];
  return random.pick(random.chance(badness) ? bad : good);
}

module.exports = { EXTENSIONS, extensionText, quote, randomLong, randomString };
