const isText = (value: unknown): boolean => typeof value === 'string'
const isTextOrNumber = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number'
// Search values are texts; whoever has a number or a flag may give that.
const isSearched = (value: unknown): boolean => isTextOrNumber(value) || typeof value === 'boolean'
const isNumber = (value: unknown): boolean => typeof value === 'number'

/** Scalars of R4's type definitions of GraphQL, and what a variable of each may hold. */
export const scalarTypes: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['Boolean', (value) => typeof value === 'boolean'],
  ['Int', (value) => Number.isInteger(value)],
  ['Float', isNumber],
  ['String', isText],
  ['ID', isTextOrNumber],
  ...['base64Binary', 'canonical', 'code', 'instant', 'markdown', 'oid', 'time', 'url', 'uuid', 'xhtml', 'dateTime'].map((name): [string, (value: unknown) => boolean] => [name, isText]),
  ...['decimal', 'positiveInt', 'unsignedInt'].map((name): [string, (value: unknown) => boolean] => [name, isTextOrNumber]),
  ...['number', 'token', 'reference', 'composite', 'quantity', 'special', 'date', 'uri'].map((name): [string, (value: unknown) => boolean] => [name, isSearched]),
])
