/** Builds the console into dist/: relative addresses, so that it can be served under any path. */
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 700, // hls.js in full (its I-frame player is needed), loaded on first use
    reportCompressedSize: false,
  },
});
