'use strict';
// Damage to JSON that leaves it JSON.

const SCALARS = [null, true, false, 0, 1, -1, 9007199254740991, '', 'a', 'User', 'Long', 'ä', [], {}];
const KEYS = [
  'type', 'id', '__entity', '__extn', '__expr', 'fn', 'arg', 'args', 'uid', 'attrs', 'parents', 'tags', 'op', 'entity',
  'entities', 'entity_type', 'slot', 'in', 'kind', 'body', 'effect', 'principal', 'conditions', 'annotations', 'Value',
  'Var', 'Slot', 'Set', 'Record', '!', 'neg', '==', '&&', '<', '+', 'contains', 'isEmpty', 'getTag', '.', 'has', 'like',
  'is', 'if-then-else', 'left', 'right', 'attr', 'pattern', 'ip', 'decimal', 'isIpv4', 'element', 'attributes',
  'required', 'name', 'memberOf', 'memberOfTypes', 'shape', 'enum', 'appliesTo', 'principalTypes', 'resourceTypes',
  'context', 'commonTypes', 'entityTypes', 'actions', 'additionalAttributes', 'unknown key',
];

// [holder, key] of everything below `value`.
function places(value, found = []) {
  if (value === null || typeof value !== 'object') return found;
  for (const key of Object.keys(value)) {
    found.push([value, key]);
    places(value[key], found);
  }
  return found;
}

const copy = (value) => JSON.parse(JSON.stringify(value));

function rename(random, holder, key) {
  if (Array.isArray(holder)) return;
  const value = holder[key];
  delete holder[key];
  holder[random.pick(KEYS)] = value;
}

function mutateOnce(random, root) {
  const all = places(root);
  if (all.length === 0) return;
  const [holder, key] = random.pick(all);
  const [otherHolder, otherKey] = random.pick(all);
  random.weighted([
    [3, () => (Array.isArray(holder) ? holder.splice(key, 1) : delete holder[key])],
    [3, () => { holder[key] = copy(random.pick(SCALARS)); }],
    [3, () => { holder[key] = copy(otherHolder[otherKey]); }],
    [2, () => rename(random, holder, key)],
    [1, () => { holder[key] = [holder[key]]; }],
    [1, () => { holder[key] = { [random.pick(KEYS)]: holder[key] }; }],
    [2, () => (Array.isArray(holder) ? holder.push(copy(holder[key])) : (holder[random.pick(KEYS)] = copy(random.pick(SCALARS))))],
  ]);
}

// Text in, text out. Numbers beyond 2^53 may change on the way.
function mutateJson(random, text) {
  const root = [JSON.parse(text)];
  for (let i = random.pick([1, 1, 1, 2]); i > 0; i -= 1) mutateOnce(random, root[0]);
  return JSON.stringify(root[0]);
}

module.exports = { mutateJson };
