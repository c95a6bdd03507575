# The image of both processes: `api` and `worker` are arguments of the same program. There is no build step: Node runs
# the TypeScript sources as they are.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No install script is needed at run time: the native parts of Temporal and SWC come as ready-made binaries.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
# The SDK of Temporal and the AWS SDK check certificates with the system's own list.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY assets ./assets
COPY src ./src
# The image's own account without rights; by number, so that an orchestrator can see that it is not root.
USER 1000:1000
ENTRYPOINT ["node", "src/cli.ts"]
CMD ["api"]
