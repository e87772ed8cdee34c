"""The three networks of the article "MobileNet" (fanrencli.cn, 2021) in Keras 3: logits, without
softmax and dropout.  Names of layers are the article's, but v2's "Logits" is "predictions", as in
keras.applications; MobileNetV3's layers take Keras's automatic names."""

from keras import Model, layers, ops
from keras.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    Multiply,
    Reshape,
    ZeroPadding2D,
)


def relu6(x):
    return ops.minimum(ops.maximum(x, 0.0), 6.0)


def hard_swish(x):
    return x * relu6(x + 3.0) / 6.0


# ---- v1 ----


def _v1_convolution(x, filters, strides, name, kernel=(3, 3)):
    x = Conv2D(filters, kernel, padding="same", use_bias=False, strides=strides, name=name)(x)
    x = BatchNormalization(name=f"{name}_bn")(x)
    return Activation(relu6)(x)


def _v1_separable(x, filters, block_id, strides=(1, 1)):
    name = f"conv_dw_{block_id}"
    x = DepthwiseConv2D((3, 3), padding="same", strides=strides, use_bias=False, name=name)(x)
    x = BatchNormalization(name=f"{name}_bn")(x)
    x = Activation(relu6)(x)
    return _v1_convolution(x, filters, (1, 1), f"conv_pw_{block_id}", (1, 1))


def mobilenet_v1(input_shape, classes):
    inputs = layers.Input(input_shape)
    x = _v1_convolution(inputs, 32, (2, 2), "conv1")
    x = _v1_separable(x, 64, 1)
    x = _v1_separable(x, 128, 2, strides=(2, 2))
    x = _v1_separable(x, 128, 3)
    x = _v1_separable(x, 256, 4, strides=(2, 2))
    x = _v1_separable(x, 256, 5)
    x = _v1_separable(x, 512, 6, strides=(2, 2))
    x = _v1_separable(x, 512, 7)
    x = _v1_separable(x, 512, 8)
    x = _v1_separable(x, 512, 9)
    x = _v1_separable(x, 512, 10)
    x = _v1_separable(x, 512, 11)
    x = _v1_separable(x, 1024, 12, strides=(2, 2))
    x = _v1_separable(x, 1024, 13)
    x = GlobalAveragePooling2D()(x)
    x = Reshape((1, 1, 1024))(x)
    x = Conv2D(classes, (1, 1), padding="same", name="conv_preds")(x)
    return Model(inputs, Reshape((classes,))(x))


# ---- v2 ----


def _v2_norm(x, name, activate=True):
    x = BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(x)
    return Activation(relu6)(x) if activate else x


def _v2_block(inputs, filters, stride, expansion, block_id):
    in_channels = inputs.shape[-1]
    x = inputs
    prefix = f"block_{block_id}_"
    if block_id:
        x = Conv2D(
            expansion * in_channels, 1, padding="same", use_bias=False, name=prefix + "expand"
        )(x)
        x = _v2_norm(x, prefix + "expand_BN")
    else:
        prefix = "expanded_conv_"
    if stride == 2:
        x = ZeroPadding2D(padding=(1, 1))(x)
    x = DepthwiseConv2D(
        3,
        strides=stride,
        use_bias=False,
        padding="same" if stride == 1 else "valid",
        name=prefix + "depthwise",
    )(x)
    x = _v2_norm(x, prefix + "depthwise_BN")
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=prefix + "project")(x)
    x = _v2_norm(x, prefix + "project_BN", activate=False)
    if in_channels == filters and stride == 1:
        return Add()([inputs, x])
    return x


def mobilenet_v2(input_shape, classes):
    inputs = layers.Input(input_shape)
    x = ZeroPadding2D(padding=(1, 1))(inputs)
    x = Conv2D(32, 3, strides=(2, 2), padding="valid", use_bias=False, name="Conv1")(x)
    x = _v2_norm(x, "bn_Conv1")
    x = _v2_block(x, filters=16, stride=1, expansion=1, block_id=0)
    x = _v2_block(x, filters=24, stride=2, expansion=6, block_id=1)
    x = _v2_block(x, filters=24, stride=1, expansion=6, block_id=2)
    x = _v2_block(x, filters=32, stride=2, expansion=6, block_id=3)
    x = _v2_block(x, filters=32, stride=1, expansion=6, block_id=4)
    x = _v2_block(x, filters=32, stride=1, expansion=6, block_id=5)
    x = _v2_block(x, filters=64, stride=2, expansion=6, block_id=6)
    x = _v2_block(x, filters=64, stride=1, expansion=6, block_id=7)
    x = _v2_block(x, filters=64, stride=1, expansion=6, block_id=8)
    x = _v2_block(x, filters=64, stride=1, expansion=6, block_id=9)
    x = _v2_block(x, filters=96, stride=1, expansion=6, block_id=10)
    x = _v2_block(x, filters=96, stride=1, expansion=6, block_id=11)
    x = _v2_block(x, filters=96, stride=1, expansion=6, block_id=12)
    x = _v2_block(x, filters=160, stride=2, expansion=6, block_id=13)
    x = _v2_block(x, filters=160, stride=1, expansion=6, block_id=14)
    x = _v2_block(x, filters=160, stride=1, expansion=6, block_id=15)
    x = _v2_block(x, filters=320, stride=1, expansion=6, block_id=16)
    x = Conv2D(1280, 1, use_bias=False, name="Conv_1")(x)
    x = _v2_norm(x, "Conv_1_bn")
    x = GlobalAveragePooling2D()(x)
    return Model(inputs, Dense(classes, name="predictions")(x))


# ---- v3 small ----


def _v3_activation(x, nl):
    return Activation(hard_swish if nl == "HS" else relu6)(x)


def _v3_convolution(x, filters, kernel, strides, nl):
    x = Conv2D(filters, kernel, padding="same", strides=strides)(x)
    x = BatchNormalization(axis=-1)(x)
    return _v3_activation(x, nl)


def _v3_squeeze(inputs):
    channels = int(inputs.shape[-1])
    x = GlobalAveragePooling2D()(inputs)
    x = Dense(int(channels / 4))(x)
    x = Activation(relu6)(x)
    x = Dense(channels)(x)
    x = Activation(hard_swish)(x)
    x = Reshape((1, 1, channels))(x)
    return Multiply()([inputs, x])


def _v3_block(inputs, filters, kernel, up_dim, stride, sq, nl):
    r = stride == 1 and inputs.shape[3] == filters
    x = _v3_convolution(inputs, up_dim, (1, 1), (1, 1), nl)
    x = DepthwiseConv2D(kernel, strides=(stride, stride), padding="same")(x)
    x = BatchNormalization(axis=-1)(x)
    x = _v3_activation(x, nl)
    if sq:
        x = _v3_squeeze(x)
    x = Conv2D(filters, (1, 1), strides=(1, 1), padding="same")(x)
    x = BatchNormalization(axis=-1)(x)
    return Add()([x, inputs]) if r else x


def mobilenet_v3_small_article(input_shape, classes):
    inputs = layers.Input(input_shape)
    x = _v3_convolution(inputs, 16, (3, 3), strides=(2, 2), nl="HS")
    x = _v3_block(x, 16, (3, 3), up_dim=16, stride=2, sq=True, nl="RE")
    x = _v3_block(x, 24, (3, 3), up_dim=72, stride=2, sq=False, nl="RE")
    x = _v3_block(x, 24, (3, 3), up_dim=88, stride=1, sq=False, nl="RE")
    x = _v3_block(x, 40, (5, 5), up_dim=96, stride=2, sq=True, nl="HS")
    x = _v3_block(x, 40, (5, 5), up_dim=240, stride=1, sq=True, nl="HS")
    x = _v3_block(x, 40, (5, 5), up_dim=240, stride=1, sq=True, nl="HS")
    x = _v3_block(x, 48, (5, 5), up_dim=120, stride=1, sq=True, nl="HS")
    x = _v3_block(x, 48, (5, 5), up_dim=144, stride=1, sq=True, nl="HS")
    x = _v3_block(x, 96, (5, 5), up_dim=288, stride=2, sq=True, nl="HS")
    x = _v3_block(x, 96, (5, 5), up_dim=576, stride=1, sq=True, nl="HS")
    x = _v3_block(x, 96, (5, 5), up_dim=576, stride=1, sq=True, nl="HS")
    x = _v3_convolution(x, 576, (1, 1), strides=(1, 1), nl="HS")
    x = GlobalAveragePooling2D()(x)
    x = Reshape((1, 1, 576))(x)
    x = Conv2D(1024, (1, 1), padding="same")(x)
    x = _v3_activation(x, "HS")
    x = Conv2D(classes, (1, 1), padding="same")(x)
    return Model(inputs, Reshape((classes,))(x))
