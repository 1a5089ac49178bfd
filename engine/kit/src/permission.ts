const matchers = new Map<string, (action: string) => boolean>()

function matcherOf(permission: string): (action: string) => boolean {
  let matcher = matchers.get(permission)
  if (!matcher) {
    const pattern = permission
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('*')
      .replace(/\*$/, '.+')
      .replaceAll('*', '[^.:]+')
    const expression = new RegExp(`^${pattern}$`)
    matcher = permission.includes('*') ? (action) => expression.test(action) : (action) => action === permission
    matchers.set(permission, matcher)
  }
  return matcher
}

/**
 * True when one of the permissions covers the action. `orders.place` covers itself; `fhir:*:read` any one segment in
 * the place of the star; a star at the end whatever follows: `lab.*`, `*`.
 */
export function allows(permissions: readonly string[], action: string): boolean {
  return permissions.some((permission) => matcherOf(permission)(action))
}
