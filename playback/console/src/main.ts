/** Puts the page together. */
import "./style/base.css";
import "./style/page.css";
import "./style/stage.css";
import "./style/timeline.css";
import "./style/narrow.css";
import { Actions, dayOf } from "./actions.ts";
import { Api, type Problem } from "./api.ts";
import { CameraList } from "./camera-list.ts";
import { Controls } from "./controls.ts";
import { Details } from "./details.ts";
import { el } from "./dom.ts";
import { listenToKeys } from "./keyboard.ts";
import { Player, type PlayerEvents } from "./player.ts";
import { Polling } from "./polling.ts";
import { parseRoute } from "./route.ts";
import { Stage } from "./stage.ts";
import { serviceNow, type PageStore, type State } from "./state.ts";
import { Store } from "./store.ts";
import { say, useLanguage } from "./text.ts";
import { TimelineBar } from "./timeline-bar.ts";
import { TimelineCanvas } from "./timeline.ts";
import { TokenBox } from "./token-box.ts";
import { remembered, TopBar } from "./top-bar.ts";

function initialState(): State {
  const { zone, language } = remembered();
  const day = dayOf(Date.now(), zone);
  return {
    language, zone, status: null, clockOffset: 0,
    cameras: [], nextCameras: null, camerasLoaded: false, chosen: null, camera: null,
    day, view: day, timeline: null, detail: null,
    playing: false, waiting: false, opened: false, speed: 1, muted: false, atLive: false,
    notice: "", failure: null, offline: null,
  };
}

function playerEvents(store: PageStore, api: Api, actions: () => Actions, shown: (wall: number) => void): PlayerEvents {
  return {
    shown,
    skipped: (from, to) => actions().skipped(from, to),
    ended: () => void actions().windowEnded(),
    playing: (playing) => store.set({ playing }),
    waiting: (waiting) => store.set({ waiting }),
    muted: (muted) => store.set({ muted }),
    failed: async (kind, url) => {
      const problem: Problem | null = kind === "network" && url ? await api.problemOf(url) : null;
      if (problem?.status === 401) return; // the token box is open and says so
      const title = kind === "unsupported" ? say("noMediaSource") : kind === "codecs" ? say("unsupported", { codec: "H.265" }) : say("failed");
      const detail = problem ? [problem.message, problem.detail].filter(Boolean).join(": ") : "";
      store.set({ failure: { title, detail, retry: kind === "network" || kind === "media" }, waiting: false });
    },
  };
}

function start(): void {
  const store: PageStore = new Store(initialState());
  useLanguage(store.now.language);
  const api = new Api((refused) => tokenBox.ask(refused));
  const stage = new Stage(store);
  const player = new Player(stage.screens, playerEvents(store, api, () => actions, (wall) => {
    actions.pictureShown(wall);
    controls.showClock();
    timeline.draw();
  }));
  const actions = new Actions(store, api, player);
  const polling = new Polling(store, api);
  const controls = new Controls(store, actions, player, stage.element);
  const timeline = new TimelineCanvas(store, actions);
  const followAddress = (): void => {
    const route = parseRoute(location.hash);
    if (route) actions.choose(route.camera, route.at ?? null);
  };
  const tokenBox = new TokenBox((token) => {
    api.useToken(token);
    void polling.round();
    followAddress();
  });
  stage.show(actions, api);
  document.body.append(
    new TopBar(store, actions).element,
    new CameraList(store, actions, polling).element,
    el("main", {}, stage.element, controls.element, new TimelineBar(store, actions).element, timeline.element),
    new Details(store, actions).element,
    tokenBox.element,
  );
  store.watch(["camera"], () => (document.title = [store.now.camera?.name, say("product")].filter(Boolean).join(" · ")));
  listenToKeys(store, actions, stage.element);
  window.addEventListener("hashchange", followAddress);
  void polling.round().then(() => {
    // this browser's clock may be days off: the service's day is the one meant
    if (actions.shown === null && parseRoute(location.hash)?.at === undefined) actions.showDay(serviceNow(store.now));
  });
  followAddress();
}

start();
