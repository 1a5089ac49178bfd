import { scaleOf } from './units.ts'

export interface Position {
  latitude: number
  longitude: number
}

export interface Circle extends Position {
  kilometres: number
}

/** Used when a search gives no distance; R4 leaves it to the server (Location, section near). */
const USUAL_KILOMETRES = 50
const EARTH_KILOMETRES = 6371
const KILOMETRES_OF_DEGREE = (Math.PI / 180) * EARTH_KILOMETRES
const HALF_TURN_KILOMETRES = 180 * KILOMETRES_OF_DEGREE

/** `latitude|longitude|distance|units` of R4; undefined when it is not that. */
export function circleOf(parts: readonly string[]): Circle | undefined {
  const [latitude, longitude] = parts.slice(0, 2).map(numberOf)
  if (latitude === undefined || longitude === undefined || Math.abs(latitude) > 90 || Math.abs(longitude) > 180 || parts.length > 4) return undefined
  if (!parts[2]) return { latitude, longitude, kilometres: USUAL_KILOMETRES }
  const distance = numberOf(parts[2])
  const unit = scaleOf(parts[3] || 'km')
  const kilometre = scaleOf('km')
  if (distance === undefined || distance < 0 || unit.dimension !== kilometre.dimension) return undefined
  return { latitude, longitude, kilometres: (distance * unit.factor) / kilometre.factor }
}

function numberOf(text: string): number | undefined {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) ? number : undefined
}

/** Along the surface of the earth. */
export function kilometresBetween(a: Position, b: Position): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180
  const sine = (degrees: number): number => Math.sin(radians(degrees) / 2)
  const square =
    sine(b.latitude - a.latitude) ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * sine(b.longitude - a.longitude) ** 2
  return 2 * EARTH_KILOMETRES * Math.asin(Math.min(1, Math.sqrt(square)))
}

/** Sides of the squares that positions are indexed by, in hundredths of a degree, large ones first. */
const SIDES = [1000, 100, 10, 1] as const
/** More squares than this are asked for as larger ones. */
const MOST_CELLS = 64

/** The squares around a position, one of each size. */
export function cellsOf({ latitude, longitude }: Position): string[] {
  return SIDES.map((side) => cell(side, row(latitude, side), column(longitude, side)))
}

/** Squares that cover a circle; undefined when it takes in so much that squares are no help. */
export function cellsAround({ latitude, longitude, kilometres }: Circle): string[] | undefined {
  if (kilometres >= HALF_TURN_KILOMETRES / 2) return undefined
  const north = kilometres / KILOMETRES_OF_DEGREE
  const [bottom, top] = [Math.max(-90, latitude - north), Math.min(90, latitude + north)]
  // A degree of longitude is shortest at the end that is nearer to a pole.
  const shortest = Math.cos((Math.max(Math.abs(bottom), Math.abs(top)) * Math.PI) / 180)
  const east = shortest * 180 <= north ? 180 : Math.min(180, north / shortest)
  for (const side of SIDES.toReversed()) {
    const rows = row(top, side) - row(bottom, side) + 1
    const columns = Math.floor((east * 200) / side) + 2
    if (rows * columns > MOST_CELLS) continue
    const cells = new Set<string>()
    for (let r = row(bottom, side); r <= row(top, side); r++) {
      for (let degrees = longitude - east; degrees <= longitude + east + side / 100; degrees += side / 100) {
        cells.add(cell(side, r, column(Math.min(degrees, longitude + east), side)))
      }
    }
    return [...cells]
  }
  return undefined
}

function cell(side: number, r: number, c: number): string {
  return `${side}:${r}:${c}`
}

function row(latitude: number, side: number): number {
  return Math.floor((latitude * 100) / side)
}

function column(longitude: number, side: number): number {
  const turned = ((((longitude + 180) % 360) + 360) % 360) - 180
  return Math.floor((turned * 100) / side)
}
