'use strict';
// A schema as a model, and what conforms to it: entities, contexts, requests.
//
// A type is {kind: 'Long' | 'String' | 'Bool'}, {kind: 'Set', element}, {kind: 'Record', attrs},
// {kind: 'Entity', name} or {kind: 'Extension', name}; attrs is {name: {type, required}}.

const { EXTENSIONS, extensionText, randomLong, randomString } = require('./values.js');

const NAMES = ['User', 'Group', 'Doc', 'Folder', 'Team', 'Box'];
const ATTRIBUTES = ['owner', 'level', 'name', 'flag', 'tags', 'info', 'ip', 'when', 'a b', 'if', 'score'];
const IDS = ['a', 'b', 'c', '', 'ä', 'x y', 'q"\\'];
const ACTIONS = ['view', 'edit', 'move it', 'list', 'all', 'read'];

function randomType(random, entityNames, depth) {
  return random.weighted([
    [4, () => ({ kind: 'Long' })],
    [4, () => ({ kind: 'String' })],
    [4, () => ({ kind: 'Bool' })],
    [4, () => ({ kind: 'Entity', name: random.pick(entityNames) })],
    [5, () => ({ kind: 'Extension', name: random.pick(Object.keys(EXTENSIONS)) })],
    [depth > 0 ? 4 : 0, () => ({ kind: 'Set', element: randomType(random, entityNames, depth - 1) })],
    [depth > 0 ? 3 : 0, () => randomRecord(random, entityNames, depth - 1, 3)],
  ]);
}

function randomRecord(random, entityNames, depth, most) {
  const attrs = {};
  for (let i = random.between(0, most); i > 0; i -= 1) {
    attrs[random.pick(ATTRIBUTES)] = {
      type: randomType(random, entityNames, depth),
      required: random.chance(0.6),
    };
  }
  return { kind: 'Record', attrs };
}

function randomEntityType(random, index, names) {
  if (random.chance(0.15)) return { name: names[index], enumerated: ['a', 'b', 'ä'], parents: [] };
  return {
    name: names[index],
    // Cycles are legal among types; values never make one.
    parents: random.some(names, 0.4),
    shape: randomRecord(random, names, 2, 4),
    tags: random.chance(0.4) ? randomType(random, names, 1) : null,
  };
}

function randomAction(random, index, ids, names) {
  const grouped = random.some(ids.slice(0, index), 0.4);
  if (random.chance(0.15)) return { id: ids[index], memberOf: grouped, applies: null };
  return {
    id: ids[index],
    memberOf: grouped,
    applies: {
      principals: random.pick([names.slice(0, 1), names.slice(0, 2), [random.pick(names)]]),
      resources: [random.pick(names), ...random.some(names, 0.2)].filter((x, i, all) => all.indexOf(x) === i),
      context: randomRecord(random, names, 2, 3),
    },
  };
}

class World {
  constructor(random) {
    this.random = random;
    this.namespace = random.pick(['', '', 'App', 'Org::App']);
    this.prefix = this.namespace === '' ? '' : `${this.namespace}::`;
    this.names = NAMES.slice(0, random.between(2, NAMES.length));
    this.types = this.names.map((_, i) => randomEntityType(random, i, this.names));
    const ids = ACTIONS.slice(0, random.between(1, ACTIONS.length));
    this.actions = ids.map((_, i) => randomAction(random, i, ids, this.names));
    if (this.actions.every((action) => action.applies === null)) {
      this.actions[0].applies = { principals: [this.names[0]], resources: [this.names[1]], context: { kind: 'Record', attrs: {} } };
    }
  }

  typeOf(name) {
    return this.types.find((type) => type.name === name);
  }

  fullName(name) {
    return this.prefix + name;
  }

  actionType() {
    return this.fullName('Action');
  }

  // An id of this type; seldom one that the type does not list.
  randomId(name) {
    const { enumerated } = this.typeOf(name);
    return this.random.pick(enumerated && this.random.chance(0.97) ? enumerated : IDS);
  }

  // A kind of request: {action, principal, resource, context}.
  randomEnv() {
    const action = this.random.pick(this.actions.filter((one) => one.applies !== null));
    return {
      action: action.id,
      principal: this.random.pick(action.applies.principals),
      resource: this.random.pick(action.applies.resources),
      context: action.applies.context,
    };
  }

  uidJson(name, id) {
    return { type: this.fullName(name), id };
  }

  // `loose`: how often something is of another type, missing or too much.
  valueJson(type, loose) {
    const { random } = this;
    if (random.chance(loose)) return this.valueJson(randomType(random, this.names, 1), 0);
    switch (type.kind) {
      case 'Long':
        return randomLong(random);
      case 'String':
        return randomString(random);
      case 'Bool':
        return random.chance(0.5);
      case 'Set':
        return random.times(random.below(4), () => this.valueJson(type.element, loose));
      case 'Record':
        return this.recordJson(type.attrs, loose);
      case 'Entity':
        return this.entityJson(this.uidJson(type.name, this.randomId(type.name)));
      default:
        return this.extensionJson(type.name, loose);
    }
  }

  // With a schema entities and extension values have short forms as well.
  entityJson(uid) {
    return this.implicit && this.random.chance(0.3) ? uid : { __entity: uid };
  }

  extensionJson(name, loose) {
    const arg = extensionText(this.random, name, loose / 2);
    const call = { fn: EXTENSIONS[name].make, arg };
    if (this.implicit && this.random.chance(0.2)) return arg;
    if (this.implicit && this.random.chance(0.2)) return call;
    return { __extn: call };
  }

  recordJson(attrs, loose) {
    const record = {};
    for (const [name, { type, required }] of Object.entries(attrs)) {
      if (required ? !this.random.chance(loose) : this.random.chance(0.5)) {
        record[name] = this.valueJson(type, loose);
      }
    }
    if (this.random.chance(loose)) record[this.random.pick(ATTRIBUTES)] = this.valueJson({ kind: 'Long' }, 0);
    return record;
  }

  entityOf(type, id, order, loose) {
    const { random } = this;
    // Only entities that come later may be parents, so there is no cycle, seldom not.
    const parents = order.filter(([name], i) => (type.parents.includes(name) || random.chance(loose / 10))
      && (i > order.findIndex(([n, d]) => n === type.name && d === id) || random.chance(loose / 20)));
    const entity = {
      uid: this.uidJson(type.name, id),
      attrs: type.enumerated ? {} : this.recordJson(type.shape.attrs, loose),
      parents: random.some(parents, 0.3).map(([name, parent]) => this.uidJson(name, parent)),
    };
    if (type.tags) {
      entity.tags = {};
      for (const key of random.some(['k', 'l', 'ä', ''], 0.4)) entity.tags[key] = this.valueJson(type.tags, loose);
    }
    return entity;
  }

  // `implicit`: a schema will be there when they are read.
  entitiesJson(implicit, loose) {
    const { random } = this;
    this.implicit = implicit;
    const order = [];
    for (const type of this.types) {
      const ids = type.enumerated ?? IDS.slice(0, random.between(1, 4));
      for (const id of random.some(ids, 0.75)) order.push([type.name, id]);
    }
    const entities = order.map(([name, id]) => this.entityOf(this.typeOf(name), id, order, loose));
    if (!implicit || random.chance(0.1)) entities.push(...this.actionEntities());
    return entities;
  }

  // What a schema would add by itself.
  actionEntities() {
    const ancestors = (id, found = new Set()) => {
      for (const group of this.actions.find((one) => one.id === id).memberOf) {
        found.add(group);
        ancestors(group, found);
      }
      return found;
    };
    return this.actions.map((action) => ({
      uid: this.uidJson('Action', action.id),
      attrs: {},
      parents: [...ancestors(action.id)].map((group) => this.uidJson('Action', group)),
    }));
  }

  requestJson(env, implicit, loose) {
    this.implicit = implicit;
    const name = (wanted) => (this.random.chance(loose) ? this.random.pick(this.names) : wanted);
    const principal = name(env.principal);
    const resource = name(env.resource);
    return [
      this.uidJson(principal, this.randomId(principal)),
      this.uidJson('Action', this.random.chance(loose) ? 'none' : env.action),
      this.uidJson(resource, this.randomId(resource)),
      this.recordJson(env.context.attrs, loose),
    ];
  }
}

module.exports = { World, randomType };
