import type { IncomingHttpHeaders } from 'node:http'

/** What a client would rather have (`Prefer`, RFC 7240; R4 RESTful API, 3.1.0.1.8 and Search, 3.1.1.1.3). */
export interface Preferences {
  return: 'minimal' | 'representation' | 'OperationOutcome'
  handling: 'strict' | 'lenient'
}

// A parameter that is not known is refused unless leniency is asked for: a filter that is ignored lies.
const ordinary: Preferences = { return: 'representation', handling: 'strict' }

/** Reads the header; of a preference that is given twice the first counts, and one that is not known counts for nothing. */
export function preferencesOf({ prefer }: IncomingHttpHeaders): Preferences {
  if (prefer === undefined) return ordinary
  const given = new Map<string, string>()
  for (const part of [prefer].flat().join(',').split(/[,;]/)) {
    const [name = '', value = ''] = part.split('=').map((text) => text.trim().replace(/^"|"$/g, ''))
    if (!given.has(name.toLowerCase())) given.set(name.toLowerCase(), value)
  }
  const [wanted, handling] = [given.get('return'), given.get('handling')]
  return {
    return: wanted === 'minimal' || wanted === 'OperationOutcome' ? wanted : ordinary.return,
    handling: handling === 'lenient' ? 'lenient' : ordinary.handling,
  }
}
