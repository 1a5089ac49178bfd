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
