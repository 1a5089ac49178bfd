/**
 * JSON in the one form of RFC 8785 (JSON Canonicalization Scheme): names in the order of their UTF-16 code units, numbers
 * and strings as ECMAScript writes them, no white space. Members that are undefined are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    // Strings are compared by their code units, as the RFC asks (3.2.3).
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('JSON knows no such number')
  if (typeof value === 'string' && !value.isWellFormed()) throw new Error('a half of a surrogate pair has no canonical form')
  return JSON.stringify(value)
}
