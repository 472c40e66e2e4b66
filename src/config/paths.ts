import { posix, win32 } from 'node:path'

/** What the default places depend on. */
export interface PathFacts {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  /** The home folder, absolute. */
  readonly home: string
}

/** Kinds of folders, after the XDG base directory specification. */
export type FolderKind = 'data' | 'config' | 'state' | 'runtime'

const XDG_VARIABLE: Readonly<Record<FolderKind, string>> = {
  data: 'XDG_DATA_HOME',
  config: 'XDG_CONFIG_HOME',
  state: 'XDG_STATE_HOME',
  runtime: 'XDG_RUNTIME_DIR',
}

// The specification has no default for runtime files; state is where a user's own files are safe.
const XDG_DEFAULT: Readonly<Record<FolderKind, readonly string[]>> = {
  data: ['.local', 'share'],
  config: ['.config'],
  state: ['.local', 'state'],
  runtime: ['.local', 'state'],
}

/**
 * keymux's folder for data, config, state or runtime files (sockets).
 *
 * An XDG variable counts wherever it is set, unless it is relative: those are to be ignored (XDG base
 * directory specification). Without one: `~/.local/share` and so on, on macOS
 * `~/Library/Application Support`, on Windows `%LOCALAPPDATA%`, because a vault and what belongs to it
 * should not roam.
 */
export function keymuxFolder(kind: FolderKind, { platform, env, home }: PathFacts): string {
  const path = platform === 'win32' ? win32 : posix
  const wanted = env[XDG_VARIABLE[kind]]
  if (wanted !== undefined && path.isAbsolute(wanted)) return path.join(wanted, 'keymux')
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'keymux')
  if (platform !== 'win32') return path.join(home, ...XDG_DEFAULT[kind], 'keymux')
  const local = env.LOCALAPPDATA
  const base = local !== undefined && path.isAbsolute(local) ? local : path.join(home, 'AppData', 'Local')
  return path.join(base, 'keymux')
}

/** Where the vault is unless told otherwise: `vault.db` in the data folder. */
export function defaultVaultPath(facts: PathFacts): string {
  return inFolder('data', 'vault.db', facts)
}

/** Where the config is unless told otherwise: `config.yaml` in the config folder. */
export function defaultConfigPath(facts: PathFacts): string {
  return inFolder('config', 'config.yaml', facts)
}

function inFolder(kind: FolderKind, file: string, facts: PathFacts): string {
  return (facts.platform === 'win32' ? win32 : posix).join(keymuxFolder(kind, facts), file)
}
