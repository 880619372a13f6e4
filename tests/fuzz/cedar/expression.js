'use strict';
// Expressions by the type that they should have. Seldom a part has another type, so that some
// policies are invalid, and invalid in many ways.

const { EXTENSIONS, extensionText, quote, randomLong, randomString } = require('./values.js');
const { randomType } = require('./world.js');

const MISTAKES = 0.006;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const RESERVED = new Set(['true', 'false', 'if', 'then', 'else', 'in', 'is', 'like', 'has', '__cedar']);
const BOOL = { kind: 'Bool' };
const LONG = { kind: 'Long' };
const STRING = { kind: 'String' };

const plain = (name) => IDENTIFIER.test(name) && !RESERVED.has(name);

function sameType(a, b) {
  if (a.kind !== b.kind || a.name !== b.name) return false;
  if (a.kind === 'Set') return sameType(a.element, b.element);
  if (a.kind !== 'Record') return true;
  const names = Object.keys(a.attrs);
  return names.length === Object.keys(b.attrs).length
    && names.every((name) => b.attrs[name] && a.attrs[name].required === b.attrs[name].required
      && sameType(a.attrs[name].type, b.attrs[name].type));
}

class Expressions {
  // `env` as World.randomEnv gives it.
  constructor(world, env) {
    this.world = world;
    this.random = world.random;
    this.env = env;
    // What must hold before the expression that is being made is safe.
    this.guards = [];
    this.places = this.allPlaces();
  }

  // A condition: its guards first, seldom without them.
  condition(depth) {
    this.guards = [];
    const body = this.bool(depth);
    const guards = [...new Set(this.guards)].filter(() => !this.random.chance(0.03));
    return guards.length === 0 ? body : [...guards, `(${body})`].join(' && ');
  }

  of(type, depth) {
    if (this.random.chance(MISTAKES)) return this.of(randomType(this.random, this.world.names, 1), depth);
    const { random } = this;
    const place = this.placeOf(type);
    if (place !== null && random.chance(0.45)) return place;
    if (depth > 0 && random.chance(0.06)) {
      return `(if ${this.bool(depth - 1)} then ${this.of(type, depth - 1)} else ${this.of(type, depth - 1)})`;
    }
    switch (type.kind) {
      case 'Bool':
        return `(${this.bool(depth - 1)})`;
      case 'Long':
        return this.long(depth);
      case 'String':
        return quote(random, randomString(random));
      case 'Entity':
        return this.entity(type.name);
      case 'Set':
        return `[${random.times(random.chance(0.02) ? 0 : random.between(1, 3), () => this.of(type.element, depth - 1)).join(', ')}]`;
      case 'Record':
        return this.record(type, depth);
      default:
        return this.extension(type.name, depth);
    }
  }

  uid(name, id) {
    return `${this.world.fullName(name)}::${quote(this.random, id)}`;
  }

  entity(name) {
    return this.uid(name, this.world.randomId(name));
  }

  record(type, depth) {
    const fields = Object.entries(type.attrs)
      .filter(([, attr]) => attr.required || this.random.chance(0.5))
      .map(([name, attr]) => `${this.key(name)}: ${this.of(attr.type, depth - 1)}`);
    return `{${fields.join(', ')}}`;
  }

  key(name) {
    return plain(name) && this.random.chance(0.7) ? name : quote(this.random, name);
  }

  access(object, name) {
    return plain(name) && this.random.chance(0.85) ? `${object}.${name}` : `${object}[${quote(this.random, name)}]`;
  }

  // {text, type, guards}: everything that variables lead to in two steps.
  allPlaces() {
    const { env, world } = this;
    const found = [
      { text: 'principal', type: { kind: 'Entity', name: env.principal }, guards: [] },
      { text: 'resource', type: { kind: 'Entity', name: env.resource }, guards: [] },
    ];
    const follow = (place, attrs, steps) => {
      for (const [name, { type, required }] of Object.entries(attrs)) {
        const guards = required ? place.guards : [...place.guards, `${place.text} has ${plain(name) ? name : quote(this.random, name)}`];
        const next = { text: this.access(place.text, name), type, guards };
        found.push(next);
        if (steps > 0) this.intoPlace(next, (one, inner) => follow(one, inner, steps - 1));
      }
    };
    follow({ text: 'context', guards: [] }, env.context.attrs, 1);
    for (const root of found.slice(0, 2)) this.intoPlace(root, (one, attrs) => follow(one, attrs, 1));
    for (const place of [...found]) {
      const tags = place.type.kind === 'Entity' ? world.typeOf(place.type.name).tags : null;
      if (!tags) continue;
      const key = quote(this.random, this.random.pick(['k', 'l', 'ä', '']));
      const guards = [...place.guards, `${place.text}.hasTag(${key})`];
      found.push({ text: `${place.text}.getTag(${key})`, type: tags, guards });
    }
    return found;
  }

  intoPlace(place, visit) {
    if (place.type.kind === 'Record') visit(place, place.type.attrs);
    if (place.type.kind === 'Entity') visit(place, this.world.typeOf(place.type.name).shape?.attrs ?? {});
  }

  use(place) {
    this.guards.push(...place.guards);
    return place.text;
  }

  placeOf(type) {
    const fitting = this.places.filter((place) => sameType(place.type, type));
    return fitting.length === 0 ? null : this.use(this.random.pick(fitting));
  }

  // A type of something that is there, mostly.
  someType() {
    return this.random.chance(0.7) ? this.random.pick(this.places).type : randomType(this.random, this.world.names, 1);
  }

  someEntity() {
    const entities = this.places.filter((place) => place.type.kind === 'Entity');
    const place = this.random.pick(entities);
    return { text: this.use(place), name: place.type.name };
  }

  long(depth) {
    const { random } = this;
    const literal = () => {
      const value = randomLong(random);
      return value < 0n && random.chance(0.5) ? `(${value})` : `${value}`;
    };
    if (depth <= 0) return literal();
    const part = () => this.of(LONG, depth - 1);
    return random.weighted([
      [5, literal],
      [4, () => `(${part()} ${random.pick(['+', '-', '*'])} ${part()})`],
      [1, () => `(-${random.pick(['', '-', '--'])}(${part()}))`],
      [2, () => `${this.of({ kind: 'Extension', name: 'duration' }, depth - 1)}.${random.pick(['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'])}()`],
    ]);
  }

  extension(name, depth) {
    const { random } = this;
    const literal = () => `${EXTENSIONS[name].make}(${quote(random, extensionText(random, name))})`;
    if (depth <= 0) return literal();
    const of = (other) => this.of({ kind: 'Extension', name: other }, depth - 1);
    if (name === 'datetime' && random.chance(0.4)) {
      return random.chance(0.6) ? `${of('datetime')}.offset(${of('duration')})` : `${of('datetime')}.toDate()`;
    }
    if (name === 'duration' && random.chance(0.4)) {
      return random.chance(0.6) ? `${of('datetime')}.durationSince(${of('datetime')})` : `${of('datetime')}.toTime()`;
    }
    return literal();
  }

  bool(depth) {
    const { random } = this;
    if (depth <= 0) return random.weighted([[3, () => random.pick(['true', 'false'])], [4, () => this.placeOf(BOOL) ?? 'true'], [4, () => this.test(0)]]);
    const part = () => this.bool(depth - 1);
    return random.weighted([
      [2, () => `!${random.pick(['', '', '!', '!!!'])}(${part()})`],
      [6, () => `(${part()}) && (${part()})`],
      [5, () => `(${part()}) || (${part()})`],
      [1, () => `${part()} && ${part()} && ${part()}`],
      [2, () => `(if ${part()} then ${part()} else ${part()})`],
      [12, () => this.test(depth - 1)],
    ]);
  }

  // One operator that gives a Bool.
  test(depth) {
    const { random } = this;
    const of = (type) => this.of(type, depth);
    const extension = (name) => of({ kind: 'Extension', name });
    return `(${random.weighted([
      [4, () => this.equality(depth)],
      [5, () => `${of(LONG)} ${random.pick(['<', '<=', '>', '>='])} ${of(LONG)}`],
      [2, () => this.order(random.pick(['datetime', 'duration']), depth)],
      [5, () => this.membership()],
      [3, () => this.typeTest()],
      [4, () => this.presence()],
      [5, () => this.setTest(depth)],
      [3, () => `${of(STRING)} like ${this.pattern()}`],
      [2, () => `${extension('ipaddr')}.${random.pick(['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast'])}()`],
      [2, () => `${extension('ipaddr')}.isInRange(${extension('ipaddr')})`],
      [2, () => `${extension('decimal')}.${random.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${extension('decimal')})`],
    ])})`;
  }

  equality(depth) {
    const type = this.someType();
    return `${this.of(type, depth)} ${this.random.pick(['==', '!='])} ${this.of(type, depth)}`;
  }

  order(name, depth) {
    const type = { kind: 'Extension', name };
    return `${this.of(type, depth)} ${this.random.pick(['<', '<=', '>', '>='])} ${this.of(type, depth)}`;
  }

  membership() {
    const { random } = this;
    const { text, name } = this.someEntity();
    const above = random.pick([...this.world.typeOf(name).parents, name]);
    return random.weighted([
      [4, () => `${text} in ${this.entity(above)}`],
      [3, () => `${text} in [${random.times(random.between(1, 3), () => this.entity(above)).join(', ')}]`],
      [2, () => `${text} in ${this.someEntity().text}`],
      [2, () => `action in ${this.uid('Action', random.pick(this.world.actions).id)}`],
    ]);
  }

  typeTest() {
    const { text, name } = this.someEntity();
    const type = this.random.chance(0.7) ? name : this.random.pick(this.world.names);
    const is = `${text} is ${this.world.fullName(type)}`;
    return this.random.chance(0.4) ? `${is} in ${this.entity(this.random.pick(this.world.names))}` : is;
  }

  presence() {
    const { random } = this;
    const holders = this.places.filter((place) => ['Record', 'Entity'].includes(place.type.kind));
    const place = random.pick(holders);
    const object = random.chance(0.25) ? 'context' : this.use(place);
    const name = random.pick(['owner', 'level', 'info', 'a b', 'if', 'nothing', 'score']);
    if (place.type.kind === 'Entity' && this.world.typeOf(place.type.name).tags && random.chance(0.4)) {
      return `${this.use(place)}.hasTag(${this.of(STRING, 0)})`;
    }
    if (plain(name) && random.chance(0.3)) return `${object} has ${name}.${random.pick(['owner', 'level', 'name', 'score'])}`;
    return `${object} has ${plain(name) ? name : quote(random, name)}`;
  }

  setTest(depth) {
    const { random } = this;
    const sets = this.places.filter((place) => place.type.kind === 'Set');
    const element = sets.length > 0 && random.chance(0.6) ? random.pick(sets).type.element : this.someType();
    const set = { kind: 'Set', element };
    return random.weighted([
      [3, () => `${this.of(set, depth)}.contains(${this.of(element, depth)})`],
      [2, () => `${this.of(set, depth)}.${random.pick(['containsAll', 'containsAny'])}(${this.of(set, depth)})`],
      [1, () => `${this.of(set, depth)}.isEmpty()`],
    ]);
  }

  pattern() {
    const { random } = this;
    const pieces = random.times(random.between(1, 3), () => quote(random, random.pick(['', 'a', 'b', 'ab', 'ä', '\\', '\n'])).slice(1, -1));
    return `"${pieces.join(random.pick(['*', '**', '\\*', 'b*']))}"`;
  }
}

module.exports = { Expressions };
