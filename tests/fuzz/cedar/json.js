'use strict';
// JSON with whole numbers of 64 bits: a BigInt is written as its digits, and text that is JSON
// already goes in as it is.

class RawJson {
  constructor(text) {
    this.text = text;
  }
}

function encode(value) {
  if (value instanceof RawJson) return value.text;
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(encode).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${encode(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

module.exports = { RawJson, encode };
