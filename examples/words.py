"""Words as feedback: a reviewer says what it sees in the images, and a language model reads it.

python examples/words.py                                  # neither a download nor a model, see below
python examples/words.py --chat embedded                  # SmolLM2-135M: lossagent assets fetch smollm2-135m-instruct
python examples/words.py --chat http://127.0.0.1:8000/v1 --model meta-llama/Meta-Llama-3-8B-Instruct
lossagent report runs/words

The reviewer is the built-in describer: it measures, and says it in sentences. What reads them by default is NO language
model: a function of a few lines that looks for two words, so that the example runs anywhere. It shows how words travel,
not what a model makes of them. The embedded model answers in the right form and has no skill at this; take one of 8
billion parameters or more.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from denoising import Denoiser, batches, noisy, noisy_inputs, options, photographs, warm_up, write_originals

import lossagent
from lossagent import Course, Every, Snapshots, WeightedSum
from lossagent.chat import ChatModel, Scripted
from lossagent.losses import FFT, L1, SSIM
from lossagent.records import Message


def by_rule(messages: Sequence[Message], seed: int) -> str:
    """Raises the losses of detail while edges are said to be softer on the whole, else lowers them."""
    remarks = re.findall(r'"(\d+ images[^"]*)"', messages[-1].content)
    move = "raise" if remarks and "softer" in remarks[-1] else "lower"
    return json.dumps({"thoughts": f"no thought, a rule: {move}", "fft": move, "ssim": move})


def main() -> None:
    """Trains."""
    parser = options("words")
    parser.add_argument("--chat", default="rule", help="rule, embedded, or the address of an OpenAI-compatible server")
    parser.add_argument("--model", default="default", help="the server's name of the model")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    train, seen = photographs(chosen.images)
    cleans, inputs = batches(train, chosen.crop, chosen.batch), noisy_inputs(seen)
    net = Denoiser()
    warm_up(net, cleans, chosen.warm_up)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    chat: ChatModel | dict[str, str | None]
    match chosen.chat:
        case "rule":
            chat = Scripted(by_rule, name="a rule, no model")
        case "embedded":
            chat = {"kind": "embedded"}
        case address:
            chat = {"kind": "server", "base_url": address, "model": chosen.model, "key_env": None}
    steering = lossagent.steer(
        chosen.folder,
        {"l1": 1.0, "fft": 0.02, "ssim": 0.1},
        goal={"wish": "fine texture as in the original, no ringing"},
        agent={"kind": "llm", "answer": "moves", "query": "pooled"},
        chat=chat,
        references=write_originals(seen, Path(f"{chosen.folder}-originals")),
        settings={"reviewers": {"eye": {"kind": "describer"}}, "iterations": chosen.steps},
        stages=chosen.stages,
    )
    criterion = WeightedSum(steering, {"l1": L1(), "fft": FFT(), "ssim": SSIM()})
    course = Course(
        steering,
        Every(steps=chosen.steps),
        restore=lambda: {name: net(x).clamp(0, 1) for name, x in inputs.items()},
        criterion=criterion,
        snapshots=Snapshots(chosen.folder / "checkpoints", net=net, optimizer=optimizer),
    )
    with course:
        while not course.over:
            clean = next(cleans)
            loss = criterion(net(noisy(clean)), clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if course.step():
                print(f"state {steering.newest}: {steering.trajectory.head.feedback.remarks[0].text}")


if __name__ == "__main__":
    main()
