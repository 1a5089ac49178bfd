import type { IncomingHttpHeaders } from 'node:http'

/** What a client would rather have (`Prefer`, RFC 7240; R4 RESTful API, 3.1.0.1.8 and Search, 3.1.1.1.3). */
export interface Preferences {
  return: 'minimal' | 'representation' | 'OperationOutcome'
  handling: 'strict' | 'lenient'
  /** Bulk Data: the answer may come later (RFC 7240, 4.1). */
  respondAsync: boolean
}

/**
 * Reads the header; of a preference that is given twice the first counts, and one that is not known counts for nothing. A
 * parameter that is not known is refused unless leniency is asked for: a filter that is ignored lies.
 *
 * @param usual What is returned where nothing is preferred.
 */
export function preferencesOf({ prefer }: IncomingHttpHeaders, usual: Preferences['return'] = 'representation'): Preferences {
  if (prefer === undefined) return { return: usual, handling: 'strict', respondAsync: false }
  const given = new Map<string, string>()
  for (const part of [prefer].flat().join(',').split(/[,;]/)) {
    const [name = '', value = ''] = part.split('=').map((text) => text.trim().replace(/^"|"$/g, ''))
    if (!given.has(name.toLowerCase())) given.set(name.toLowerCase(), value)
  }
  const [wanted, handling] = [given.get('return'), given.get('handling')]
  return {
    return: wanted === 'minimal' || wanted === 'representation' || wanted === 'OperationOutcome' ? wanted : usual,
    handling: handling === 'lenient' ? 'lenient' : 'strict',
    respondAsync: given.has('respond-async'),
  }
}
