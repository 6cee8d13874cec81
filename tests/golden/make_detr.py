#!/usr/bin/env python3
"""Writes golden/detr/<case>/: tiny random DETR checkpoints and what transformers makes of them.

Run by hand (`make_detr.py [CASE...]`, needs torch, transformers and safetensors; the case `resnet` needs timm); what it
writes is committed, so that the tests need none of them. Cases are those of golden.py. Backbones are transformers' own
ResNet, since timm's cannot be made small by a configuration; timm's strides and dilations are those of golden/detr/resnet/,
which has no config.json: the shape is in the file's metadata. Batch norms are far from the identity.
"""
import types

import torch
from safetensors.torch import save_file
from transformers import DetrConfig, DetrForObjectDetection, DetrForSegmentation, DetrModel, ResNetConfig

import golden

HERE = golden.HERE / "detr"
ALL = ["stage1", "stage2", "stage3", "stage4"]


def backbone(**changes):
    return ResNetConfig(**(dict(embedding_size=6, hidden_sizes=[8, 12, 16, 20], depths=[1, 2, 1, 1], num_channels=1, out_features=ALL) |
                           changes))


def config(net=None, **changes):
    return DetrConfig(backbone_config=net or backbone(), **(dict(
        d_model=16, num_queries=7, encoder_layers=1, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=20, num_labels=5) | changes))


def randomise(model):
    """Products keep the size of their input, biases and norms are nowhere near 0 and 1."""
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            if name.endswith("running_var"):
                p.copy_(torch.rand_like(p) + 0.5)
            elif name.endswith("num_batches_tracked"):
                continue
            elif p.dim() == 1 and name.endswith("weight"):
                p.copy_(torch.randn_like(p) * 0.2 + 1)
            elif p.dim() == 1:
                p.copy_(torch.randn_like(p) * 0.3)
            elif "embedding" in name:
                p.copy_(torch.randn_like(p))
            else:
                gain = 1.1 if p.dim() == 4 else 0.9  # more is ill-conditioned
                p.copy_(torch.randn_like(p) * gain / p[0].numel() ** 0.5)


def batch(sizes, channels=1, mask=True, dtype=torch.bool):
    """Images of these (height, width), padded on the right and below with zeros to the largest."""
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    pixels = torch.randn(len(sizes), channels, height, width)
    kept = torch.zeros(len(sizes), height, width, dtype=dtype)
    for row, (h, w) in enumerate(sizes):
        kept[row, :h, :w] = 1
    inputs = {"pixel_values": pixels * kept.unsqueeze(1)}
    return inputs | {"pixel_mask": kept} if mask else inputs


def write(case, make, inputs, others=(), halves=False):
    """`inputs`, and in `others` by name: what makes them."""
    return golden.write(HERE / case, case, make, randomise, lambda c: inputs(), 2e-5, 2e-5,
                        {name: lambda c, more=more: more() for name, more in dict(others).items()}, halves=halves,
                        half_stores=lambda *_: {})


def hole():
    """A mask that is no rectangle: columns of the image in the middle are not of it."""
    inputs = batch([(35, 97), (35, 97)])
    inputs["pixel_mask"][1, :, 20:60] = 0
    inputs["pixel_mask"][0, 15:, :] = 0
    return inputs


SHAPES = {
    "no-mask": lambda: batch([(35, 65), (35, 65)], mask=False),
    "all-image": lambda: batch([(40, 33)]),
    "one-pixel": lambda: batch([(1, 1)], mask=False),
    "wide": lambda: batch([(5, 150)], mask=False),
    "hole": hole,
}


def torch_file(case):
    """The names that transformers has in memory since version 5, in a file of torch.save."""
    directory, model, _ = write(case, lambda: DetrForSegmentation(config(encoder_attention_heads=8)),
                                lambda: batch([(33, 40), (40, 21)], dtype=torch.long))
    golden.as_torch_file(directory, dict(model.state_dict()))


def resnet(case):
    """timm's networks, cut small: maps of each stage. `before` is the map before the stem's pool."""
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet
    directory = golden.fresh(HERE / case, case)
    for name, block, stride in (("bottleneck-32", Bottleneck, 32), ("bottleneck-16", Bottleneck, 16),
                                ("basic-8", BasicBlock, 8)):
        channels, layers = (2, 3, 4, 5), (1, 2, 1, 2)
        net = ResNet(block, layers, num_classes=0, in_chans=1, output_stride=stride, channels=channels).eval()
        randomise(net)
        pixels = torch.randn(2, 1, 45, 37)
        with torch.no_grad():
            maps = [net.act1(net.bn1(net.conv1(pixels)))]
            x = net.maxpool(maps[0])
            for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
                x = stage(x)
                maps.append(x)
        tensors = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
        tensors |= {"pixels": pixels} | {f"map.{i}": m[:, :8].contiguous() for i, m in enumerate(maps)}
        save_file(tensors, directory / f"{name}.safetensors")


def picture(height, width, seed):
    """Coloured blocks on a slope of grey."""
    from PIL import Image, ImageDraw
    random = torch.Generator().manual_seed(seed)
    number = lambda n: int(torch.randint(n, (1,), generator=random))
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    for _ in range(6):
        x, y = number(width - 8), number(height - 8)
        ImageDraw.Draw(image).rectangle([x, y, x + 6 + number(30), y + 6 + number(25)],
                                        fill=(number(256), number(256), number(256)))
    return image


def judge(processor, tensors, stem, out, size):
    """Adds what the processor's post-processing makes of a model's outputs for one picture."""
    for threshold in (0.1, 0.5):
        found = processor.post_process_object_detection(out, threshold, [size])[0]
        tensors |= {f"{stem}.boxes-{threshold}.{k}": v for k, v in found.items()}
    for kind, options in {
        "pipeline": dict(threshold=0.9, mask_threshold=0.5, overlap_mask_area_threshold=0.5),
        "method": {},
        "fused": dict(threshold=0.3, overlap_mask_area_threshold=0.1, mask_threshold=0.2, label_ids_to_fuse={0, 2}),
        "none": dict(threshold=1.0),
    }.items():
        made = processor.post_process_panoptic_segmentation(out, target_sizes=[size], **options)[0]
        info = made["segments_info"]
        tensors |= {
            f"{stem}.{kind}.map": made["segmentation"].to(torch.int8),
            f"{stem}.{kind}.scores": torch.tensor([i["score"] for i in info], dtype=torch.float64),
            f"{stem}.{kind}.ids": torch.tensor([[i["id"], i["label_id"], int(i["was_fused"])] for i in info],
                                               dtype=torch.long).reshape(-1, 3)}
    tensors[f"{stem}.semantic.map"] = processor.post_process_semantic_segmentation(out, [size])[0].to(torch.int8)


def chain(case):
    """Pictures to boxes and masks: pixels by the processor, and what its post-processing makes of the outputs."""
    from PIL import Image
    from transformers import DetrImageProcessorPil
    from transformers.image_utils import load_image
    directory = golden.fresh(HERE / case, case)
    labels = ["wall", "cat", "kite, large", "Düne", "grass"]
    model = DetrForSegmentation(config(
        backbone(num_channels=3, depths=[1, 1, 1, 1]), encoder_attention_heads=8, num_queries=12,
        id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)})).eval()
    randomise(model)
    with torch.no_grad():
        for name, factor in {"detr.class_labels_classifier": 4, "detr.model.query_position_embeddings": 3,
                             "bbox_attention.q_proj": 2, "mask_head.output_conv": 3}.items():
            model.get_submodule(name).weight.mul_(factor)
        model.mask_head.conv1.conv.weight[:, 16:].mul_(40)  # so that queries differ
    model.save_pretrained(directory)
    processor = DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 100})
    processor.save_pretrained(directory)
    picture(70, 90, 1).save(directory / "wide.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    picture(48, 120, 2).save(directory / "turned.jpg", quality=95, exif=exif)
    tensors = {}
    for name in ("wide.png", "turned.jpg"):
        image = load_image(str(directory / name))
        with torch.no_grad():
            out = model(**processor(images=image, return_tensors="pt"))
        judge(processor, tensors, name.split(".")[0], out, (image.height, image.width))
    blobs = types.SimpleNamespace(logits=torch.randn(1, 20, 6) * 4, pred_masks=torch.randn(1, 20, 6, 7) * 3,
                                  pred_boxes=torch.rand(1, 20, 4))
    judge(processor, tensors, "blobs", blobs, (33, 25))
    tensors |= {f"blobs.{name}": getattr(blobs, name)[0] for name in ("logits", "pred_masks", "pred_boxes")}
    save_file({k: v.contiguous() for k, v in tensors.items()}, directory / "expected.safetensors")


CASES = {
    "base": lambda c: write(c, lambda: DetrModel(config()), lambda: batch([(40, 70), (37, 33), (20, 66)]),
                            others=SHAPES, halves=True),
    "learned": lambda c: write(c, lambda: DetrModel(config(
        backbone(layer_type="basic", hidden_sizes=[4, 6, 8], depths=[2, 1, 1], embedding_size=5,
                 downsample_in_first_stage=True, out_features=["stem", "stage3"], hidden_act="gelu"),
        position_embedding_type="learned", d_model=18, encoder_attention_heads=3, decoder_attention_heads=9,
        activation_function="gelu", auxiliary_loss=True, encoder_layers=2)),
        lambda: batch([(40, 90), (65, 31)])),
    "detection": lambda c: write(c, lambda: DetrForObjectDetection(config(
        backbone(downsample_in_bottleneck=True, num_channels=3, depths=[2, 1, 2, 1], out_features=["stage4"]), num_queries=9,
        encoder_layers=2, decoder_layers=1, activation_function="silu")),
        lambda: batch([(40, 34), (33, 66)], channels=3), others={"no-mask": lambda: batch([(65, 33)], channels=3, mask=False)}, halves=True),
    "segmentation": lambda c: write(c, lambda: DetrForSegmentation(config(encoder_attention_heads=8)),
                                    lambda: batch([(40, 40), (33, 70)]),
                                    others={"no-mask": lambda: batch([(35, 50)], mask=False), "hole": hole}, halves=True),
    "segmentation_three_maps": lambda c: write(c, lambda: DetrForSegmentation(config(
        backbone(out_features=ALL[1:], layer_type="basic", hidden_sizes=[4, 4, 6, 8], depths=[1, 1, 1, 1]), d_model=16,
        encoder_attention_heads=8, encoder_layers=0, decoder_layers=1, num_queries=3, activation_function="gelu")),
        lambda: batch([(40, 60), (33, 33)])),
    "torch_file": torch_file,
    "resnet": resnet,
    "chain": chain,
}


if __name__ == "__main__":
    golden.main(CASES, HERE)
