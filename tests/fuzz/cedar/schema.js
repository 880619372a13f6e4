'use strict';
// The schema of a world in both syntaxes. Some records become common types.

const { quote } = require('./values.js');

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

class SchemaWriter {
  constructor(world) {
    this.world = world;
    this.random = world.random;
    this.common = [];
  }

  // Schema text quotes names as policies do, and refuses the same reserved words.
  key(name) {
    return IDENTIFIER.test(name) && (name !== 'if' || this.random.chance(0.01)) ? name : quote(this.random, name);
  }

  list(names) {
    return names.length === 1 && this.random.chance(0.5) ? names[0] : `[${names.join(', ')}]`;
  }

  builtin(name) {
    return this.random.chance(0.1) ? `__cedar::${name}` : name;
  }

  typeText(type) {
    switch (type.kind) {
      case 'Set':
        return `Set<${this.typeText(type.element)}>`;
      case 'Record':
        return this.random.chance(0.2) ? this.commonName(type) : this.recordText(type);
      case 'Entity':
        return this.random.chance(0.2) ? this.world.fullName(type.name) : type.name;
      case 'Extension':
        return this.builtin(type.name);
      default:
        return this.builtin(type.kind);
    }
  }

  commonName(type) {
    const body = this.recordText(type);
    this.common.push(`type Common${this.common.length} = ${body};`);
    return `Common${this.common.length - 1}`;
  }

  recordText(type) {
    const fields = Object.entries(type.attrs)
      .map(([name, attr]) => `${this.key(name)}${attr.required ? '' : '?'}: ${this.typeText(attr.type)}`);
    return `{${fields.join(', ')}${fields.length > 0 && this.random.chance(0.1) ? ',' : ''}}`;
  }

  entityText(type) {
    if (type.enumerated) {
      return `entity ${type.name} enum [${type.enumerated.map((id) => quote(this.random, id)).join(', ')}];`;
    }
    const parents = type.parents.length > 0 ? ` in ${this.list(type.parents)}` : '';
    const equals = this.random.chance(0.5) ? ' =' : '';
    const shape = Object.keys(type.shape.attrs).length > 0 ? `${equals} ${this.recordText(type.shape)}` : '';
    return `entity ${type.name}${parents}${shape}${type.tags ? ` tags ${this.typeText(type.tags)}` : ''};`;
  }

  actionText(action) {
    const groups = action.memberOf.length > 0 ? ` in [${action.memberOf.map((id) => quote(this.random, id)).join(', ')}]` : '';
    const { applies } = action;
    const body = applies === null ? '' : ` appliesTo { principal: ${this.list(applies.principals)}, resource: ${this.list(applies.resources)}, context: ${this.typeText(applies.context)} }`;
    return `action ${this.key(action.id)}${groups}${body};`;
  }

  text() {
    this.common = [];
    const { world } = this;
    const declared = [...world.types.map((type) => this.entityText(type)), ...world.actions.map((action) => this.actionText(action))];
    const all = [...declared, ...this.common].join('\n');
    return world.namespace === '' ? all : `namespace ${world.namespace} {\n${all}\n}`;
  }

  typeJson(type) {
    switch (type.kind) {
      case 'Set':
        return { type: 'Set', element: this.typeJson(type.element) };
      case 'Record':
        return this.recordJson(type);
      case 'Entity':
        // The short form names common types only.
        if (this.random.chance(0.005)) return { type: type.name };
        return { type: this.random.pick(['Entity', 'EntityOrCommon']), name: type.name };
      case 'Extension':
        return this.random.chance(0.7) ? { type: 'Extension', name: type.name } : { type: 'EntityOrCommon', name: type.name };
      case 'Bool':
        return { type: this.random.pick(['Boolean', 'Bool']) };
      default:
        return { type: type.kind };
    }
  }

  recordJson(type) {
    const attributes = {};
    for (const [name, attr] of Object.entries(type.attrs)) {
      attributes[name] = { ...this.typeJson(attr.type), ...(attr.required ? (this.random.chance(0.3) ? { required: true } : {}) : { required: false }) };
    }
    return { type: 'Record', attributes };
  }

  actionJson({ memberOf, applies }) {
    return {
      memberOf: memberOf.length === 0 && this.random.chance(0.5) ? undefined : memberOf.map((id) => ({ id })),
      appliesTo: applies === null ? undefined : { principalTypes: applies.principals, resourceTypes: applies.resources, context: this.recordJson(applies.context) },
    };
  }

  json() {
    const { world } = this;
    const entityTypes = {};
    for (const type of world.types) {
      entityTypes[type.name] = type.enumerated ? { enum: type.enumerated } : {
        memberOfTypes: type.parents,
        shape: this.recordJson(type.shape),
        tags: type.tags ? this.typeJson(type.tags) : undefined,
      };
    }
    const actions = Object.fromEntries(world.actions.map((action) => [action.id, this.actionJson(action)]));
    return { [world.namespace]: { entityTypes, actions } };
  }
}

module.exports = { SchemaWriter };
