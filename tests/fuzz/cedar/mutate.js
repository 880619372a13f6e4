'use strict';
// Small damage to a text: what a hurried or a hostile writer would hand in.

const POLICY_PIECES = [
  '(', ')', '[', ']', '{', '}', ',', ';', ':', '::', '.', '"', "'", '\\', '/', '//x\n', '@', '?', '*', '+',
  '-', '!', '==', '!=', '<', '<=', '=', '&&', '||', '%', '0', '9223372036854775808', '00', ' ', '\n', '\r',
  '\u00a0', '\ufeff', '\0', 'if ', ' then ', ' else ', ' in ', ' is ', ' has ', ' like ', 'true', 'principal',
  'action', 'resource', 'context', 'permit', 'forbid', 'when', 'unless', '?principal', '?resource', '__cedar',
  'ip("', 'decimal(', '.contains(', '.isEmpty()', '\\u{41}', '\\u{d800}', '\\x80', '\\*', 'a', 'ä',
];

const SCHEMA_PIECES = [
  ...['{', '}', '[', ']', '<', '>', ',', ';', ':', '::', '?', '=', '"', '@', ' ', '\n', '//x\n'],
  ...['entity ', 'action ', 'type ', 'namespace ', ' in ', ' tags ', ' enum ', ' appliesTo ', 'principal', 'resource'],
  ...['context', 'Long', 'Set', 'Bool', 'String', 'Boolean', '__cedar::', '__cedar', 'ipaddr', 'Action', 'User'],
  ...['entity X;', 'type Y = Long;', 'attributes {}', '@doc("x")', '[]', '{}'],
];

const JSON_PIECES = [
  '{', '}', '[', ']', ',', ':', '"', '\\', ' ', '0', '1', '-', '.5', 'e3', '1.0', '9223372036854775808', '-9223372036854775808',
  'null', 'true', 'false', '{}', '[]', '""', '"type"', '"id"', '"__entity"', '"__extn"', '"fn"', '"arg"', '"args"', '"__expr"',
  '"uid"', '"attrs"', '"parents"', '"tags"', '\\u0041', '\\ud800', '\\u0000', '\n', '"a":1,', 'ä',
];

// Behind the token that begins at or after `at`.
function endOfToken(text, at) {
  const found = /\s*(?:[A-Za-z0-9_]+|"(?:\\.|[^"\\])*"|.)/suy;
  found.lastIndex = at;
  return found.test(text) ? found.lastIndex : text.length;
}

function mutateOnce(random, text, pieces) {
  let at = random.below(text.length + 1);
  // Not within a surrogate pair.
  if (at > 0 && at < text.length && text.charCodeAt(at) >= 0xdc00 && text.charCodeAt(at) < 0xe000) at -= 1;
  const end = endOfToken(text, at);
  return random.weighted([
    [4, () => text.slice(0, at) + text.slice(end)],
    [4, () => text.slice(0, at) + random.pick(pieces) + text.slice(at)],
    [4, () => text.slice(0, at) + random.pick(pieces) + text.slice(end)],
    [2, () => text.slice(0, end) + text.slice(at, end) + text.slice(end)],
    [1, () => text.slice(0, at)],
    [2, () => {
      const from = random.below(text.length + 1);
      const piece = text.slice(from, endOfToken(text, from));
      return text.slice(0, at) + piece + text.slice(end);
    }],
  ]);
}

function mutate(random, text, pieces) {
  let mutated = text;
  for (let i = random.pick([1, 1, 1, 2, 3]); i > 0; i -= 1) mutated = mutateOnce(random, mutated, pieces);
  // The rest of a pair that was cut is no text at all.
  return mutated.toWellFormed();
}

module.exports = { JSON_PIECES, POLICY_PIECES, SCHEMA_PIECES, mutate };
