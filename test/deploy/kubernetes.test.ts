import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Container, PodSpec, Service, Volume } from 'kubernetes-types/core/v1.js'
import type { StatefulSet, StatefulSetSpec } from 'kubernetes-types/apps/v1.js'
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js'
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js'
import { HealthService } from '../../src/client/health.ts'
import { resolveConfig } from '../../src/server/config.ts'
import { readManifests, readYaml, schemaProblems } from './support/manifests.ts'
import type { Kustomization, Manifest } from './support/manifests.ts'

const FOLDER = 'deploy/kubernetes'
const kustomization = readYaml(`${FOLDER}/kustomization.yaml`) as Kustomization
const manifests = kustomization.resources.flatMap((file) => readManifests(`${FOLDER}/${file}`))

function find<T>(kind: string, name: string): T {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  assert.ok(found, `there is no ${kind} ${name}`)
  return found as T
}

const nodes = find<StatefulSet>('StatefulSet', 'balsa').spec as StatefulSetSpec
const pod = nodes.template.spec as PodSpec
const container = pod.containers[0] as Container
const labels = nodes.template.metadata?.labels

/** The environment of the pod with this ordinal, with its variables filled in as the kubelet does. */
function environmentOf(ordinal: number): Record<string, string> {
  const name = `balsa-${ordinal}`
  const fields: Record<string, string> = {
    'metadata.name': name,
    'metadata.namespace': kustomization.namespace,
  }
  const env: Record<string, string> = {}
  for (const { name, value, valueFrom } of container.env ?? []) {
    const text = value ?? fields[valueFrom?.fieldRef?.fieldPath ?? '']
    assert.ok(text !== undefined, `${name} has no value`)
    // Only variables that stand before it are known there.
    env[name] = text.replaceAll(/\$\((\w+)\)/g, (whole, key: string) => env[key] ?? whole)
  }
  return env
}

/** What the image sets by itself. */
function imageEnvironment(): Record<string, string> {
  const dockerfile = readFileSync(fileURLToPath(new URL('../../Dockerfile', import.meta.url)), 'utf8')
  return Object.fromEntries(
    Array.from(dockerfile.matchAll(/\b(BALSA_\w+)=(\S+)/g), ([, name, value]) => [name, value] as const),
  ) as Record<string, string>
}

describe('deploy/kubernetes', () => {
  it('lists every file that is there', () => {
    const there = readdirSync(fileURLToPath(new URL(`../../${FOLDER}`, import.meta.url)))
    assert.deepEqual(
      [...kustomization.resources, 'kustomization.yaml'].sort(),
      there.filter((file) => file.endsWith('.yaml')).sort(),
    )
  })

  it('fits the schemas of the API', () => assert.deepEqual(schemaProblems(manifests), []))

  it('would be refused with a field misspelled, one missing, or a value of the wrong type', () => {
    const set = find<Manifest>('StatefulSet', 'balsa')
    const text = JSON.stringify(set)
    for (const [is, would] of [
      ['readOnlyRootFilesystem', 'readOnlyRootFileSystem'],
      ['"topologyKey":"kubernetes.io/hostname",', ''],
      ['"replicas":3', '"replicas":"3"'],
    ] as const) {
      assert.ok(text.includes(is), is)
      const wrong = JSON.parse(text.replace(is, would)) as Manifest
      assert.notDeepEqual(schemaProblems([wrong]), [], `${would || `without ${is}`} went through`)
    }
  })

  it('starts nodes that know each other and whom others can dial', () => {
    const ids = Array.from({ length: nodes.replicas! }, (_, ordinal) => `balsa-${ordinal}`)
    for (const [ordinal, id] of ids.entries()) {
      const { config, warnings } = resolveConfig({
        env: { ...imageEnvironment(), ...environmentOf(ordinal) },
      })
      assert.deepEqual(warnings, [])
      assert.equal(config.id, id)
      assert.deepEqual([...config.peers.keys()], ids)
      assert.equal(config.peerAdvertise, `${id}.${nodes.serviceName}:8001`)
      assert.equal(config.advertise, `${id}.${nodes.serviceName}.${kustomization.namespace}.svc:7001`)
      const mount = container.volumeMounts?.find(({ name }) => name === 'data')
      assert.ok(config.dataDir.startsWith(`${mount?.mountPath}/`), 'inside the volume')
      const ports = new Map((container.ports ?? []).map((port) => [port.name, port.containerPort]))
      assert.equal(config.listen, `0.0.0.0:${ports.get('clients')}`)
      assert.equal(config.peerListen, `0.0.0.0:${ports.get('peers')}`)
    }
    const endpoints = environmentOf(0)['BALSA_ENDPOINTS']?.split(',')
    assert.deepEqual(
      endpoints,
      ids.map((id) => `${id}.${nodes.serviceName}:7001`),
    )
  })

  it('makes everything choose the same pods', () => {
    assert.ok(labels && Object.keys(labels).length > 0)
    assert.deepEqual(nodes.selector.matchLabels, labels)
    const services = ['balsa', 'balsa-peers'].map((name) => find<Service>('Service', name).spec)
    for (const service of services) {
      assert.deepEqual(service?.selector, labels)
      const names = container.ports?.map(({ name }) => name)
      for (const { targetPort } of service?.ports ?? []) assert.ok(names?.includes(targetPort as string))
    }
    const budget = find<PodDisruptionBudget>('PodDisruptionBudget', 'balsa').spec
    assert.deepEqual(budget?.selector?.matchLabels, labels)
    assert.deepEqual(find<NetworkPolicy>('NetworkPolicy', 'balsa').spec?.podSelector?.matchLabels, labels)
    const [apart] = pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    assert.deepEqual(apart?.labelSelector?.matchLabels, labels)
  })

  it('lets nodes find each other before any is ready', () => {
    const peers = find<Service>('Service', nodes.serviceName).spec
    assert.equal(peers?.clusterIP, 'None')
    assert.equal(peers?.publishNotReadyAddresses, true)
    assert.equal(nodes.podManagementPolicy, 'Parallel')
  })

  it('gives up no more nodes than a majority can spare', () => {
    const { maxUnavailable } = find<PodDisruptionBudget>('PodDisruptionBudget', 'balsa').spec!
    assert.ok(Number(maxUnavailable) >= 1 && Number(maxUnavailable) <= Math.floor((nodes.replicas! - 1) / 2))
  })

  it('probes what each probe is for', () => {
    const { startupProbe, livenessProbe, readinessProbe } = container
    assert.equal(startupProbe?.grpc?.service, HealthService.Node)
    assert.equal(livenessProbe?.grpc?.service, HealthService.Node)
    assert.equal(readinessProbe?.grpc?.service, HealthService.Kv)
  })

  it('writes nothing but its volumes, as nobody in particular', () => {
    assert.equal(pod.securityContext?.runAsNonRoot, true)
    assert.equal(container.securityContext?.readOnlyRootFilesystem, true)
    assert.equal(container.securityContext?.allowPrivilegeEscalation, false)
    assert.deepEqual(container.securityContext?.capabilities, { drop: ['ALL'] })
    const volumes = [
      ...(pod.volumes as Volume[]).map(({ name }) => name),
      ...nodes.volumeClaimTemplates!.map(({ metadata }) => metadata?.name),
    ]
    assert.deepEqual(container.volumeMounts?.map(({ name }) => name).sort(), volumes.sort())
  })

  it('runs the image of this version', () => {
    const { version } = readYaml('package.json') as { version: string }
    const [image] = kustomization.images
    assert.deepEqual(image, { name: container.image, newName: 'balsa', newTag: version })
  })
})
