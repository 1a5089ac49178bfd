// PostgreSQL array literals built here rather than by pg: one join instead of a recursive walk per element.

/** An array of values that need no quoting: uuids, numbers, ISO times, booleans. */
export function plainArray(values: readonly (string | number | boolean | null | undefined)[]): string {
  let text = '{'
  for (let at = 0; at < values.length; at++) {
    if (at > 0) text += ','
    text += values[at] ?? 'NULL'
  }
  return `${text}}`
}

/** An array of text, quoted. */
export function textArray(values: readonly (string | null | undefined)[]): string {
  let text = '{'
  for (let at = 0; at < values.length; at++) {
    if (at > 0) text += ','
    const value = values[at]
    text += value === null || value === undefined ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`
  }
  return `${text}}`
}
