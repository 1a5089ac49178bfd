import { toSVG } from 'bwip-js/browser'
import { useMemo } from 'react'

/** Code 128 of a short text, as a picture that prints sharply. */
export function Barcode({ text, label }: { text: string; label: string }) {
  const source = useMemo(() => {
    const svg = toSVG({ bcid: 'code128', text, height: 9, includetext: false, paddingwidth: 2 })
    return `data:image/svg+xml;utf8,${encodeURIComponent(svg)}`
  }, [text])
  return <img src={source} alt={label} style={{ width: '46mm', height: '10mm', display: 'block' }} />
}

/** A QR code of some text, dark on light in dark surroundings too: cameras want it so. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const source = useMemo(() => `data:image/svg+xml;utf8,${encodeURIComponent(toSVG({ bcid: 'qrcode', text, scale: 3, padding: 4, backgroundcolor: 'FFFFFF' }))}`, [text])
  return <img src={source} alt={label} style={{ width: 200, height: 200, display: 'block' }} />
}
