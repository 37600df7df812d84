"""TensorFlow on one thread: results that repeat, and a quiet machine."""

from optix_tf._tensorflow import tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
