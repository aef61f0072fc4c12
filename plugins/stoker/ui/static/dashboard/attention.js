// The card "Models that need a person" on Airflow's home page. Airflow loads this module and gives it its own React and Chakra UI, so
// that it looks like what is around it in light and dark.

const { createElement: h, useEffect, useState } = globalThis.React;
const { Badge, Box, Button, Flex, Heading, HStack, Link, Skeleton, Text, VStack } = globalThis.ChakraUI;
const { Link: RouterLink } = globalThis.ReactRouterDOM;

const SHOWN = 5;
const AGAIN_AFTER = 60_000; // milliseconds
const MORE_AFTER = 250; // milliseconds, while the server has not looked at all models
const PAGES = "/plugin/stoker-models/stoker"; // Airflow keeps the address of a framed page at the end of its own
const PALETTES = { damaged: "red", stopped: "red", waiting: "orange", drifting: "orange" };

/** What the API says: { items, needing, scanned, total }; null when the person may not look at models at all. */
async function read() {
  const answer = await fetch("/stoker/api/v1/attention", { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (answer.status === 401 || answer.status === 403) return null;
  if (!answer.ok) throw new Error(`The models could not be read (status ${answer.status}).`);
  return answer.json();
}

const isUnread = (attention) => attention && attention.scanned < attention.total;

/** { attention, error, again }: read at once, every minute, when somebody asks, and again and again until all models were looked at. */
function useAttention() {
  const [state, setState] = useState({ attention: undefined, error: false });
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    let isHere = true;
    let timer;
    const lookIn = (pause) => {
      if (isHere) timer = setTimeout(() => (document.visibilityState === "visible" ? look() : lookIn(AGAIN_AFTER)), pause);
    };
    const look = () => read().then(
      (attention) => {
        if (isHere) setState({ attention, error: false });
        lookIn(isUnread(attention) ? MORE_AFTER : AGAIN_AFTER);
      },
      () => {
        if (isHere) setState((before) => ({ ...before, error: true }));
        lookIn(AGAIN_AFTER);
      },
    );
    look();
    return () => {
      isHere = false;
      clearTimeout(timer);
    };
  }, [asked]);
  return { ...state, again: () => setAsked((count) => count + 1) };
}

function RoutedLink({ to, children }) {
  return h(Link, { asChild: true, color: "fg.info" }, h(RouterLink, { to: PAGES + to }, children));
}

function place({ model, version }) {
  return `/models/${encodeURIComponent(model)}${version === null ? "" : `/versions/${version}`}`;
}

function Item({ item }) {
  return h(Box, { as: "li", borderTopWidth: 1, listStyleType: "none", py: 2 },
    h(HStack, { flexWrap: "wrap", gap: 2 },
      h(RoutedLink, { to: place(item) }, item.version === null ? item.model : `${item.model} v${item.version}`),
      h(Badge, { colorPalette: PALETTES[item.state] ?? "gray" }, item.state)),
    h(Text, { fontSize: "sm" }, item.reason),
    h(Text, { color: "fg.muted", fontSize: "sm" }, item.action));
}

function Items({ attention }) {
  const soFar = isUnread(attention) ? `${attention.scanned} of ${attention.total} models were looked at so far.` : null;
  if (attention.items.length === 0) return h(Text, { color: "fg.muted", fontSize: "sm", py: 2 }, soFar ?? "No model needs anybody now.");
  const more = attention.needing - SHOWN;
  return h(Box, { as: "ul" },
    ...attention.items.slice(0, SHOWN).map((item) => h(Item, { item, key: `${item.model}/${item.version}` })),
    more > 0 ? h(Box, { as: "li", borderTopWidth: 1, listStyleType: "none", pt: 2 }, h(RoutedLink, { to: "/" }, `${more} more`)) : null,
    soFar ? h(Text, { as: "li", color: "fg.muted", fontSize: "sm", listStyleType: "none", pt: 2 }, soFar) : null);
}

function Content({ attention, error, again }) {
  if (error) {
    return h(HStack, { py: 2, role: "alert" },
      h(Text, { color: "fg.error", fontSize: "sm" }, "The models could not be read."),
      h(Button, { onClick: again, size: "xs", variant: "outline" }, "Try again"));
  }
  if (attention === undefined) return h(VStack, { align: "stretch", "aria-busy": true, py: 2 }, h(Skeleton, { height: 4 }), h(Skeleton, { height: 4 }));
  return h(Items, { attention });
}

function StokerAttention() {
  const { attention, error, again } = useAttention();
  if (attention === null) return null;
  return h(Box, { as: "section", "aria-label": "Models that need a person", borderRadius: 5, borderWidth: 1, order: 3, p: 4, width: "100%" },
    h(Flex, { alignItems: "center", justifyContent: "space-between" },
      h(Heading, { size: "md" }, "Models that need a person"),
      h(RoutedLink, { to: "/" }, "All models")),
    h(Content, { attention, error, again }));
}

globalThis.StokerAttention = StokerAttention;
export default StokerAttention;
