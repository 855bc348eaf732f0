// Mark the section that is being read in the contents, and keep its link in view.
const nav = document.querySelector("nav");
const links = new Map([...nav.querySelectorAll("a")].map(a => [a.hash.slice(1), a]));
const reading = () => {
  const sections = [...document.querySelectorAll("section")];
  const now = sections.findLast(s => s.getBoundingClientRect().top < innerHeight / 3) || sections[0];
  const link = now && links.get(now.id);
  if (!link || link.ariaCurrent) return;
  for (const other of links.values()) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "location");
  const box = link.getBoundingClientRect(), around = nav.getBoundingClientRect();
  nav.scrollBy({left: box.left - around.left - (around.width - box.width) / 2,
                top: box.top - around.top - (around.height - box.height) / 2});
};
addEventListener("scroll", reading, {passive: true});
reading();
