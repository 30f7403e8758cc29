/** Rows that can be dragged to another place by their grip, with a mouse, a pen or a finger. */
const EDGE = 90;
const SPEED = 14;

/**
 * @param {HTMLElement} body whose rows have a `.grip` and their id in `data-id`
 * @param {Scope} scope
 * @param {(id: number, anchorId: number, after: boolean) => void} drop called when a row was put beside another one
 */
export function draggableRows(body, scope, drop) {
  let drag = null;

  const mark = (target, after) => {
    drag.target?.classList.remove("drop-before", "drop-after");
    drag.target = target;
    drag.after = after;
    target?.classList.add(after ? "drop-after" : "drop-before");
  };

  const look = () => {
    const row = document.elementFromPoint(drag.x, drag.y)?.closest("tr[data-id]");
    if (!row || row.parentElement !== body || row === drag.row) return mark(null, false);
    const { top, height } = row.getBoundingClientRect();
    return mark(row, drag.y > top + height / 2);
  };

  /** Near the edge of the window the page moves on, so that every row of a long list can be reached. */
  const scroll = () => {
    if (!drag) return;
    const by = drag.y < EDGE ? -SPEED : drag.y > innerHeight - EDGE ? SPEED : 0;
    if (by) {
      scrollBy(0, by);
      look();
    }
    drag.frame = requestAnimationFrame(scroll);
  };

  const end = () => {
    cancelAnimationFrame(drag.frame);
    mark(null, false);
    drag.row.classList.remove("dragging");
    drag = null;
  };

  scope.on(body, "pointerdown", (event) => {
    const grip = event.target.closest(".grip");
    if (!grip || event.button !== 0 || drag) return;
    event.preventDefault();
    drag = { row: grip.closest("tr"), x: event.clientX, y: event.clientY, target: null, after: false };
    drag.row.classList.add("dragging");
    grip.setPointerCapture(event.pointerId);
    scroll();
  });
  scope.on(body, "pointermove", (event) => {
    if (!drag) return;
    drag.x = event.clientX;
    drag.y = event.clientY;
    look();
  });
  scope.on(body, "pointerup", () => {
    if (!drag) return;
    const { row, target, after } = drag;
    end();
    if (target) drop(Number(row.dataset.id), Number(target.dataset.id), after);
  });
  scope.on(body, "pointercancel", () => drag && end());
  scope.on(document, "keydown", (event) => event.key === "Escape" && drag && end());
  scope.add(() => drag && end());
}
