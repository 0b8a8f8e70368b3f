/** Puts the page together. */
import "./style/base.css";
import "./style/page.css";
import "./style/stage.css";
import "./style/timeline.css";
import "./style/boxes.css";
import "./style/narrow.css";
import { Actions, dayOf } from "./actions.ts";
import { Api, type Problem } from "./api.ts";
import { CameraList } from "./camera-list.ts";
import { CapacityBox } from "./capacity-box.ts";
import { ConsentBox } from "./consent-box.ts";
import { Controls } from "./controls.ts";
import { Details } from "./details.ts";
import { el } from "./dom.ts";
import { ExportBox } from "./export-box.ts";
import { GroupStage } from "./group-stage.ts";
import { listenToKeys } from "./keyboard.ts";
import { helps, NeedBox } from "./need-box.ts";
import { Player, type PlayerEvents } from "./player.ts";
import { Polling } from "./polling.ts";
import { parseRoute } from "./route.ts";
import { SignInBox } from "./sign-in-box.ts";
import { Stage } from "./stage.ts";
import { serviceNow, type PageStore, type State } from "./state.ts";
import { Store } from "./store.ts";
import { say, useLanguage } from "./text.ts";
import { TimelineBar } from "./timeline-bar.ts";
import { TimelineCanvas } from "./timeline.ts";
import { remembered, TopBar } from "./top-bar.ts";

function initialState(): State {
  const { zone, language } = remembered();
  const day = dayOf(Date.now(), zone);
  return {
    language, zone, status: null, clockOffset: 0,
    cameras: [], nextCameras: null, camerasLoaded: false, chosen: null, camera: null,
    day, view: day, timeline: null, detail: null,
    playing: false, waiting: false, opened: false, speed: 1, muted: false, atLive: false,
    notice: "", failure: null, picked: null, me: null, offline: null,
  };
}

function playerEvents(store: PageStore, api: Api, actions: () => Actions, need: NeedBox, shown: (wall: number) => void): PlayerEvents {
  return {
    shown,
    skipped: (from, to) => actions().skipped(from, to),
    ended: () => void actions().windowEnded(),
    playing: (playing) => store.set({ playing }),
    waiting: (waiting) => store.set({ waiting }),
    muted: (muted) => store.set({ muted }),
    failed: async (kind, url) => {
      const problem: Problem | null = kind === "network" && url ? await api.problemOf(url) : null;
      if (problem?.status === 401) return; // the sign-in box is open and says so
      const { chosen } = store.now;
      if (helps(problem) && chosen !== null) need.ask({ camera: chosen, ...actions().window, action: "view", problem }, () => actions().retry());
      const title = kind === "unsupported" ? say("noMediaSource") : kind === "codecs" ? say("unsupported", { codec: "H.265" }) : say("failed");
      const detail = problem ? [problem.message, problem.detail].filter(Boolean).join(": ") : "";
      store.set({ failure: { title, detail, retry: kind === "network" || kind === "media", undecodable: kind === "codecs" }, waiting: false });
    },
  };
}

function start(): void {
  const store: PageStore = new Store(initialState());
  useLanguage(store.now.language);
  const api = new Api((refused) => void signInBox.ask(refused));
  const stage = new Stage(store);
  const needBox = new NeedBox(api, (text) => actions.notice(text));
  const player = new Player(stage.screens, playerEvents(store, api, () => actions, needBox, (wall) => {
    actions.pictureShown(wall);
    controls.showClock();
    timeline.draw();
  }));
  const actions = new Actions(store, api, player);
  const polling = new Polling(store, api);
  const controls = new Controls(store, actions, player, stage.element);
  const timeline = new TimelineCanvas(store, actions);
  const need = needBox.ask.bind(needBox);
  const group = new GroupStage(api, { zone: () => store.now.zone, need, name: (id) => store.now.cameras.find((c) => c.id === id)?.name || id });
  const exportBox = new ExportBox({ api, camera: () => store.now.chosen, moment: () => actions.shown ?? serviceNow(store.now), need });
  const consentBox = new ConsentBox(api, () => store.now.zone);
  const capacityBox = new CapacityBox(api);
  const main = el("main", {}, group.element, stage.element, controls.element, new TimelineBar(store, actions).element, timeline.element);
  const followAddress = (): void => {
    const route = parseRoute(location.hash);
    main.classList.toggle("grouped", !!route?.group);
    group.close();
    if (route?.group) {
      actions.leave();
      void group.open(route.group, route.at ?? serviceNow(store.now) - GROUP_BEHIND_MS);
    } else if (route) actions.choose(route.camera, route.at ?? null);
  };
  const known = (): void => {
    void api.me().then((me) => store.set({ me }), () => store.set({ me: null }));
    void polling.round();
    followAddress();
  };
  const signInBox = new SignInBox(() => api, known);
  stage.show(actions, api, () => exportBox.openAsH264());
  const doors = { exports: () => exportBox.open(), consents: () => consentBox.open(), capacity: () => capacityBox.open(), signOut: () => void signOut(store, api) };
  document.body.append(
    new TopBar(store, actions, doors).element,
    new CameraList(store, actions, polling).element,
    main,
    new Details(store, actions).element,
    signInBox.element,
    needBox.element,
    exportBox.element,
    consentBox.element,
    capacityBox.element,
  );
  store.watch(["camera"], () => (document.title = [store.now.camera?.name, say("product")].filter(Boolean).join(" · ")));
  listenToKeys(store, actions, stage.element);
  window.addEventListener("hashchange", followAddress);
  void api.me().then((me) => store.set({ me }), () => undefined); // who is nobody is asked by the sign-in box
  void polling.round().then(() => {
    // this browser's clock may be days off: the service's day is the one meant
    if (actions.shown === null && parseRoute(location.hash)?.at === undefined) actions.showDay(serviceNow(store.now));
  });
  followAddress();
}

/** Ends the session here, and the provider's if it came from there; nothing seen stays on the page. */
async function signOut(store: PageStore, api: Api): Promise<void> {
  const foreign = store.now.me?.id.startsWith("oidc:");
  await api.signOut();
  if (foreign) location.assign(api.farewellAddress);
  else location.reload();
}

/** Without a moment a group begins so long ago: all of it is indexed, and nobody waits at the live edge. */
const GROUP_BEHIND_MS = 2 * 60_000;

start();
