import type { WardPeople } from '@carespine/identity/factor-contract'
import { useSyncExternalStore } from 'react'
import { askSignIn, signOut } from './api.ts'

// The secret of the computer is in a cookie that no script reads; this is only for what the menu shows.
const KNOWN = 'carespine-ward-computer'

const listeners = new Set<() => void>()

export function isWardComputer(): boolean {
  return localStorage.getItem(KNOWN) !== null
}

/** The same for a screen that is there when it changes. */
export function useIsWardComputer(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, isWardComputer)
}

/** Which enrolled computer this is, if it is one, and who may go on at it by PIN. */
export async function askWardPeople(): Promise<WardPeople> {
  const answer = await askSignIn<WardPeople>('/api/auth/ward-computer/people', {})
  if (answer.computer) localStorage.setItem(KNOWN, answer.computer.name)
  else localStorage.removeItem(KNOWN)
  for (const listener of listeners) listener()
  return answer
}

/** Somebody else goes on here. Signing out takes everything off the screen; the fresh page takes it out of memory. */
export async function changeOver(): Promise<void> {
  await signOut()
  window.location.replace('/sign-in')
}

/** After the PIN: a page that nothing of the one before is in. */
export async function goOnByPin(who: { badge: string } | { userId: string }, pin: string): Promise<void> {
  const { user } = await askSignIn<{ user: { id: string; portal: string } }>('/api/auth/ward-computer/sign-in', { who, pin })
  // Other tabs of this browser leave what they showed.
  localStorage.setItem('carespine-who', user.id)
  window.location.replace(`/${user.portal}`)
}
