// The table of built-in providers, made from their definitions.
import path from 'node:path'
import * as esbuild from 'esbuild'
import { ROOT } from './entries.mjs'

const HEADER = ['provider', 'API', 'key sent as', 'key in', 'base URL in', 'check', 'failures as']
const code = (text) => `\`${text}\``

/** The table as it stands in docs/providers.md, in the order of the catalogue. */
export async function providersTable() {
  const rows = (await catalogue()).map((provider) => `| ${cellsOf(provider).join(' | ')} |`)
  return [`| ${HEADER.join(' | ')} |`, `|${'---|'.repeat(HEADER.length)}`, ...rows].join('\n')
}

function cellsOf(provider) {
  const { name, docs, label, check, failureFamily, baseUrlEnv } = provider
  return [
    `[${code(name)}](${docs}) ${label}`,
    addressOf(provider),
    provider.keyless ? `${headerOf(provider)}; none needed` : headerOf(provider),
    keysOf(provider).map(code).join(', ') || '–',
    baseUrlEnv === undefined ? '–' : code(baseUrlEnv),
    check === undefined ? '–' : code(`${check.method} ${check.path}`),
    failureFamily,
  ]
}

function addressOf({ baseUrl, baseUrlExample }) {
  return baseUrl === undefined ? `one for each account: ${code(baseUrlExample)}` : code(baseUrl)
}

function headerOf({ auth }) {
  if (auth === 'bearer') return code('Authorization: Bearer')
  if (typeof auth === 'string') return code(auth.replace(/^header:/, ''))
  return code(`${auth.header[0].toUpperCase()}${auth.header.slice(1)}: ${auth.prefix}`)
}

function keysOf({ envKey, envAliases = [], directEnvKeys = [], tokenEnvKey }) {
  return [envKey, ...envAliases, ...directEnvKeys, tokenEnvKey].filter((name) => name !== undefined)
}

async function catalogue() {
  const entryPoints = [path.join(ROOT, 'src/providers/catalogue.ts')]
  const { outputFiles } = await esbuild.build({ entryPoints, bundle: true, format: 'esm', write: false })
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
  return (await import(url)).CATALOGUE
}
