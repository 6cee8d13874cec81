// Finds objects in a picture and draws them into it:
//   detr_draw facebook/detr-resnet-50 street.jpg found.png
#include "silica/arch/detr.hpp"
#include "silica/input/image/draw.hpp"
#include "silica/input/image/write_png.hpp"
#include "silica/task/detect.hpp"

#include <cstdio>

using namespace silica;

int main(int argc, char** argv) try {
    if (argc != 4) return std::fprintf(stderr, "usage: detr_draw MODEL PICTURE OUT.png\n"), 2;

    using Detr = Model<arch::DetrForObjectDetection, device::Cpu>;
    const auto detect = task::Detector<Detr>::open(argv[1]);
    const image::Image picture = image::read(argv[2]);

    std::vector<image::DrawnBox> boxes;
    for (const auto& [label, id, score, box] : detect(picture, {.threshold = 0.9})) {
        std::printf("%-16s %.2f  from (%.0f, %.0f) to (%.0f, %.0f)\n", label.c_str(), score, box.xmin, box.ymin,
                    box.xmax, box.ymax);
        boxes.push_back({.corners = {box.xmin, box.ymin, box.xmax, box.ymax}, .text = label, .number = id});
    }
    image::write_png(argv[3], image::draw_boxes(picture, boxes));
    return 0;
} catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
}
