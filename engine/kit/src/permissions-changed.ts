import type { Hint } from '@carespine/store/contract'

/** A hint to the processes themselves, after a commit: what people may do has changed, so everybody is looked at anew. */
export const PERMISSIONS_CHANGED: Hint = { room: 'processes', name: 'permissions-changed' }
