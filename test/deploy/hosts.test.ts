import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DamagedDataError } from '../../src/errors.ts'
import { resolveConfig } from '../../src/server/config.ts'
import { readText, readYaml } from './support/manifests.ts'

describe('deploy/systemd', () => {
  const unit = readText('deploy/systemd/balsa.service')
  const valueOf = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1]

  it('has an example of a configuration that fits, in a directory that the unit may write', () => {
    const path = 'deploy/systemd/node.json'
    const content: unknown = JSON.parse(readText(path))
    const { config, warnings } = resolveConfig({ file: { path, content } })
    assert.deepEqual(warnings, [])
    assert.equal(config.peers.get(config.id), config.peerAdvertise)
    assert.equal(config.dataDir, `/var/lib/${valueOf('StateDirectory')}`)
  })

  it('does not start a node again that no start mends', () => {
    const codes = valueOf('RestartPreventExitStatus')?.split(' ').map(Number)
    assert.ok(codes?.includes(new DamagedDataError('').exitCode))
    // A full disk may have space again.
    assert.ok(!codes?.includes(6))
  })
})

describe('deploy/compose', () => {
  const compose = readYaml('deploy/compose/compose.yaml') as {
    services: { node: { environment: Record<string, string> } }
  }
  const example = Object.fromEntries(
    Array.from(readText('deploy/compose/env.example').matchAll(/^(\w+)=(.*)$/gm), ([, key, value]) => [
      key,
      value,
    ]),
  ) as Record<string, string>

  it('makes a configuration that fits of its example', () => {
    const filled = Object.entries(compose.services.node.environment).map(([key, text]) => [
      key,
      text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
        const value = example[name] ?? (kind === '-' ? rest : undefined)
        assert.ok(value !== undefined, `${name} is missing in env.example`)
        return value
      }),
    ])
    const { config, warnings } = resolveConfig({ env: Object.fromEntries(filled) as Record<string, string> })
    assert.deepEqual(warnings, [])
    assert.equal(config.id, 'n1')
    assert.equal(config.listen, '10.0.0.1:7001')
    assert.equal(config.peers.get('n1'), config.peerAdvertise)
  })
})
