import { FactorChanged } from '@carespine/identity/factor-contract'
import { reaction } from '@carespine/kit/module'
import { raise } from './alerts.ts'

const said = {
  'factor-added': { title: 'Sign-in changed', message: 'A second factor was added to your account.' },
  'factor-removed': { title: 'Sign-in changed', message: 'A second factor was removed from your account.' },
  'factors-reset': { title: 'Sign-in changed', message: 'An administrator reset the second factors of your account.' },
  'recovery-code-used': { title: 'Recovery code used', message: 'A recovery code was used to sign in to your account.' },
} as const

/** Somebody learns that what they sign in with changed: who did it without them is found out. */
export const onFactorChanged = reaction({
  name: 'notifications.on-factor-changed',
  on: FactorChanged,
  async run({ data: { userId, change }, branch }, { tx, now }) {
    await raise(tx, { type: 'account.factor', priority: 'normal', ...said[change], requiresAcknowledgment: false, text: { key: change, values: {} } }, branch, [userId], now)
  },
})
