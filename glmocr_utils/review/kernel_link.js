// Messages to a kernel that may be gone. It is noticed at once: when a message cannot be sent, when the
// kernel says that it restarts or is dead, and when the widget's channel closes.

const GONE = new Set(["restarting", "autorestarting", "terminating", "dead"]);
const LOST = "The kernel has stopped or was restarted. What was saved is on the disk; nothing more can be "
  + "saved here. Run the notebook again to go on.";

// `lost` is called once, when the kernel is found to be gone.
function linkToKernel(model, lost) {
  const kernel = model.widget_manager?.kernel;
  const link = {
    isLost: false,
    send(message) {
      if (link.isLost) return false;
      try {
        model.send(message);
      } catch {
        lose();
      }
      return !link.isLost;
    },
    close() {
      model.off("comm:close", lose);
      kernel?.statusChanged?.disconnect(onStatus);
      kernel?.disposed?.disconnect(lose);
    },
  };
  function lose() {
    if (link.isLost) return;
    link.isLost = true;
    lost();
  }
  const onStatus = (_, status) => { if (GONE.has(status)) lose(); };
  model.on("comm:close", lose);
  kernel?.statusChanged?.connect(onStatus);
  kernel?.disposed?.connect(lose);
  return link;
}

