import { readFileSync } from 'node:fs'
import type { Keymux } from '../../domain/keymux.js'
import type { Providers } from '../../domain/providers.js'
import type { Store } from '../../storage/contract.js'
import { runProcess } from './process.js'
import type { CliGateway, CliServices, GatewayRequest, OpenRequest } from './services.js'

// The rest of keymux is loaded when a command needs it: help and completion stay quick.
const services: CliServices = {
  openVault,
  openStore,
  providers,
  providerNames,
  startGateway,
  childToken: async (gateway, providers) =>
    (await import('../gateway/find.js')).childToken(gateway, providers),
  findGateway: async (stateFolder, vaultId) =>
    (await import('../gateway/find.js')).findGateway(stateFolder, vaultId, readFile),
  createLogger: async (level, clock, write) =>
    (await import('../gateway/log.js')).createJsonLogger({ level, clock, write }),
  version,
}

async function openVault(request: OpenRequest): Promise<Keymux> {
  const { location, config, configRequired, create, longLived, ...rest } = request
  const { composeKeymux } = await import('../../compose.js')
  return composeKeymux({
    ...rest,
    vault: location,
    config: { path: config, required: configRequired },
    mustNotExist: create === true,
    surface: 'cli',
    shortLived: longLived !== true,
  })
}

async function openStore(location: string, signal: AbortSignal): Promise<Store> {
  const { composeStore } = await import('../../compose-storage.js')
  return composeStore({ vault: location, signal })
}

async function providers(config: string, configRequired: boolean): Promise<Providers> {
  const { composeProviders } = await import('../../compose-config.js')
  return composeProviders({ path: config, required: configRequired })
}

async function providerNames(config: string): Promise<readonly string[]> {
  const [{ listProviders }, { loadConfig }] = await Promise.all([
    import('../../providers/registry.js'),
    import('../../config/load.js'),
  ])
  const custom = await loadConfig(config).catch(() => undefined)
  const names = [...listProviders().map(({ name }) => name), ...Object.keys(custom?.providers ?? {})]
  return [...new Set(names)].sort()
}

async function readFile(path: string): Promise<Buffer> {
  return (await import('../../system/safe-file.js')).readPrivateFile(path)
}

async function startGateway(handle: Keymux, request: GatewayRequest): Promise<CliGateway> {
  const { serveGateway } = await import('../gateway/gateway.js')
  return serveGateway(handle, { ...request, readFile })
}

// Read from the package that this file was built into: dist/cli.cjs lies next to package.json's folder.
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest instanceof Object && 'version' in manifest ? String(manifest.version) : 'unknown'
}

// Not awaited at the top level: the built file is CommonJS. It handles every failure itself.
void runProcess(services)
