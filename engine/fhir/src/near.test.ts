import { expect, test } from 'vitest'
import { cellsAround, cellsOf, circleOf, kilometresBetween } from './near.ts'

test('whatever lies within a circle lies in one of its squares', () => {
  for (const [latitude, longitude] of [[24.7, 46.7], [0, 179.999], [-33.9, -179.95], [89.9, 10], [-89.99, -170], [51.5, -0.1]] as const) {
    for (const kilometres of [0.2, 3, 40, 900, 4000]) {
      const cells = cellsAround({ latitude, longitude, kilometres })
      if (!cells) continue
      expect(cells.length).toBeLessThanOrEqual(120)
      for (let turn = 0; turn < 360; turn += 7) {
        // A point at nine tenths of the distance, in each direction.
        const d = (0.9 * kilometres) / 6371
        const [lat, lon, bearing] = [latitude, longitude, turn].map((degrees) => (degrees * Math.PI) / 180) as [number, number, number]
        const there = Math.asin(Math.sin(lat) * Math.cos(d) + Math.cos(lat) * Math.sin(d) * Math.cos(bearing))
        const across = lon + Math.atan2(Math.sin(bearing) * Math.sin(d) * Math.cos(lat), Math.cos(d) - Math.sin(lat) * Math.sin(there))
        const point = { latitude: (there * 180) / Math.PI, longitude: (((((across * 180) / Math.PI + 180) % 360) + 360) % 360) - 180 }
        expect(kilometresBetween({ latitude, longitude }, point)).toBeLessThan(kilometres)
        expect(cellsOf(point).some((cell) => cells.includes(cell)), JSON.stringify({ latitude, longitude, kilometres, point })).toBe(true)
      }
    }
  }
})

test('a distance has a unit of length, and kilometres without one', () => {
  expect(circleOf(['24.7', '46.7', '11.2', 'km'])?.kilometres).toBeCloseTo(11.2)
  expect(circleOf(['24.7', '46.7', '5', '[mi_i]'])?.kilometres).toBeCloseTo(8.047, 2)
  expect(circleOf(['24.7', '46.7', '500', 'm'])?.kilometres).toBeCloseTo(0.5)
  expect(circleOf(['24.7', '46.7'])?.kilometres).toBe(50)
  for (const wrong of [['24.7'], ['x', '1'], ['91', '0'], ['1', '2', '-3'], ['1', '2', '3', 'kg'], ['', '']]) expect(circleOf(wrong)).toBeUndefined()
})
