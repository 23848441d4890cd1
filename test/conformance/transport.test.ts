import { snapshotTransportConformance } from './snapshot-transport.ts'
import { grpcLab } from './transport-grpc-lab.ts'
import { memoryLab } from './transport-memory-lab.ts'
import { transportConformance } from './transport.ts'

transportConformance('memory', memoryLab)
transportConformance('gRPC', () => grpcLab())
snapshotTransportConformance('memory', memoryLab)
snapshotTransportConformance('gRPC', () => grpcLab())
