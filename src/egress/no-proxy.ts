import { BlockList, isIP } from 'node:net'

/** Tells whether a host and port are to be reached without a proxy. */
export type Exemption = (hostname: string, port: number) => boolean

interface Entry {
  readonly host: string
  readonly port: number | undefined
}

/**
 * Reads `NO_PROXY` as curl does (curl.se/docs/manpage.html, `--noproxy`), with ports as undici has them: names, which
 * stand for the domains below them too, with or without a dot or `*.` before them; IP addresses and blocks of them; `*`
 * for everything. Separated by commas or blanks. What is none of this exempts nobody.
 */
export function readNoProxy(text: string): Exemption {
  const blocks = new BlockList()
  const names: Entry[] = []
  const addresses: Entry[] = []
  for (const item of text.toLowerCase().split(/[\s,]+/)) {
    if (item === '') continue
    if (item === '*') return () => true
    const entry = entryOf(item)
    if (isIP(entry.host) !== 0) addresses.push({ ...entry, host: canonical(entry.host) })
    else if (!addBlock(blocks, item))
      names.push({ ...entry, host: entry.host.replace(/^\*?\./, '').replace(/\.$/, '') })
  }
  return (hostname, port) => {
    const host = hostname.toLowerCase().replace(/\.$/, '')
    const fits = (entry: Entry): boolean => entry.port === undefined || entry.port === port
    const address = bare(host)
    const version = isIP(address)
    if (version === 0) {
      return names.some(
        (one) => one.host !== '' && fits(one) && (host === one.host || host.endsWith(`.${one.host}`)),
      )
    }
    const same = canonical(address)
    return (
      addresses.some((one) => one.host === same && fits(one)) ||
      blocks.check(address, `ipv${version === 4 ? 4 : 6}`)
    )
  }
}

/** A host and the port that follows it; what has more colons is an IPv6 address. */
function entryOf(item: string): Entry {
  const [, bracketed, port] = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(item) ?? []
  if (bracketed !== undefined) return { host: bracketed, port: port === undefined ? undefined : Number(port) }
  const [, host, number] = /^([^:]+):(\d{1,5})$/.exec(item) ?? []
  return host === undefined ? { host: item, port: undefined } : { host, port: Number(number) }
}

function addBlock(blocks: BlockList, item: string): boolean {
  const [, network = '', bits] = /^\[?([^/\]]+)\]?\/(\d{1,3})$/.exec(item) ?? []
  const version = isIP(network)
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return false
  blocks.addSubnet(network, Number(bits), `ipv${version === 4 ? 4 : 6}`)
  return true
}

/** An address as URLs write it. */
function canonical(address: string): string {
  return isIP(address) === 6 ? bare(new URL(`http://[${address}]`).hostname) : address
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}
