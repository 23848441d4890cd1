# One node of Balsa. Build with any Node image of version 20.19 or newer:
#   docker build --build-arg NODE_IMAGE=node:24-bookworm-slim -t balsa .
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund

FROM packages AS build
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY protos protos
RUN npx tsc -p tsconfig.build.json --sourceMap false --declaration false && chmod 755 dist/cli/main.js

# What runs needs neither compilers nor LevelDB for other systems.
FROM packages AS production
RUN npm prune --omit=dev --no-audit --no-fund \
  && find node_modules -type d -path '*/prebuilds/*' ! -name 'linux-*' -prune -exec rm -rf {} + \
  && find node_modules -type d \( -name deps -o -name test -o -name docs \) \( -path '*classic-level*' -o -path '*second-level*' \) -prune -exec rm -rf {} + \
  && find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.md' \) -type f -delete

FROM ${NODE_IMAGE}
# A larger young generation, as V8 has it on a large machine, is 100 MB that a node is no faster by.
ENV NODE_ENV=production \
    NODE_OPTIONS=--max-semi-space-size=16 \
    BALSA_LISTEN=0.0.0.0:7001 \
    BALSA_PEER_LISTEN=0.0.0.0:8001 \
    BALSA_DATA=/data \
    BALSA_ENDPOINTS=127.0.0.1:7001
WORKDIR /app
RUN install -d -o node -g node /data && ln -s /app/dist/cli/main.js /usr/local/bin/balsa
COPY --from=production /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY protos protos
USER node
VOLUME /data
EXPOSE 7001 8001
# Ready: the node knows a leader and can serve. Liveness is `balsa health --live`.
HEALTHCHECK --interval=2s --timeout=3s --start-period=60s --retries=3 \
  CMD ["balsa", "health", "--endpoints", "127.0.0.1:7001", "--time-out", "2s"]
# Node is PID 1: the program handles SIGTERM itself and starts no other process.
ENTRYPOINT ["balsa"]
CMD ["serve"]
