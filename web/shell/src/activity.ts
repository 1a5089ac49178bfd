// When somebody last touched a screen of this browser. All tabs share it: who works in one is not idle in another.
const SHARED = 'carespine-active'
/** Moving the mouse is no work: it also moves when the table is pushed. */
const SIGNS = ['pointerdown', 'keydown', 'wheel', 'touchstart'] as const
const WRITE_MILLISECONDS = 1000

let last = Date.now()
const listeners = new Set<() => void>()

function note(): void {
  const now = Date.now()
  if (now - last > WRITE_MILLISECONDS) localStorage.setItem(SHARED, String(now))
  last = now
  for (const listener of listeners) listener()
}

for (const sign of SIGNS) window.addEventListener(sign, note, { capture: true, passive: true })
window.addEventListener('storage', ({ key, newValue }) => {
  if (key === SHARED) last = Math.max(last, Math.min(Number(newValue), Date.now()))
})

/** Seconds since somebody did something. */
export function idleSeconds(): number {
  return Math.max(0, (Date.now() - last) / 1000)
}

/** Signing in is doing something. */
export function beginActivity(): void {
  last = Date.now()
}

/** Calls when somebody does something in this tab. */
export function onActivity(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
