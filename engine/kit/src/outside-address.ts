import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** A name that leads to an address of the inside, or to none. */
export class AddressRefused extends Error {}

// IANA special-purpose registries: loopback, private, link-local, shared, reserved, multicast, and IPv4 inside IPv6.
// One list for each: a list takes an IPv4 address for the IPv6 one that it is mapped to.
const inside = { ipv4: new BlockList(), ipv6: new BlockList() }
const v4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4']
const v6 = ['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8']
for (const subnet of v4) inside.ipv4.addSubnet(subnet.split('/')[0] as string, Number(subnet.split('/')[1]), 'ipv4')
for (const subnet of v6) inside.ipv6.addSubnet(subnet.split('/')[0] as string, Number(subnet.split('/')[1]), 'ipv6')

/** Whether an address is of the public internet. */
export function isPublic(address: string): boolean {
  const version = isIP(address)
  const family = version === 4 ? 'ipv4' : 'ipv6'
  return version !== 0 && !inside[family].check(address, family)
}

/** Whether a URL names an address, and not a name, that is not of the public internet. */
export function isInside({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  return isIP(address) > 0 && !isPublic(address)
}

/**
 * Finds public addresses alone, else fails with `AddressRefused`. For the option `lookup` of a request: looked at when the
 * connection is made, not before, because a name may point elsewhere a moment later.
 */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const found = error ? [] : addresses
    const refused = error ?? (found.length === 0 || found.some(({ address }) => !isPublic(address)) ? new AddressRefused() : null)
    if (refused) callback(refused, '', 4)
    else if (options.all) callback(null, found)
    else callback(null, found[0]?.address ?? '', found[0]?.family)
  })
}
