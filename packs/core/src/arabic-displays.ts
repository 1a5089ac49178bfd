import displays from '../terminology/arabic-displays.json' with { type: 'json' }

/** What codes of R4 are called in Arabic: by code system, then by code. */
export const arabicDisplays: Readonly<Record<string, Readonly<Record<string, string>>>> = displays
