//! A result that is computed already, with gradients of our own: some of candle's operations in its graph as one.
//!
//! candle's own backward pass of what is composed of its operations makes zeros and a sum for each of them, follows what needs
//! no gradient, and adds rows that were chosen one after the other. On a device, that is most of a step.

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, MetalStorage, Result, Shape, Storage, Tensor,
    backend::BackendStorage, bail,
};

/// `out`, as it was computed `from` tensors outside of the graph; `backward` gives their gradients from that of `out`.
///
/// It is called where one of them has a gradient to receive, and what it gives for the others is not looked at.
pub(super) fn given<const N: usize>(
    from: [&Tensor; N],
    out: Tensor,
    backward: impl Fn(&Tensor) -> Result<[Option<Tensor>; N]> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !from.iter().any(|x| x.track_op()) {
        return Ok(out);
    }
    let op = Given { out: out.contiguous()?, backward: Box::new(move |gradient| Ok(backward(gradient)?.into())) };
    match from.as_slice() {
        [a] => a.apply_op1(op),
        [a, b] => a.apply_op2(b, op),
        [a, b, c] => a.apply_op3(b, c, op),
        _ => bail!("one to three tensors, not {N}"),
    }
}

type Backward = dyn Fn(&Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync;

struct Given {
    out: Tensor,
    backward: Box<Backward>,
}

impl Given {
    const NAME: &str = "given";

    /// A copy of what is computed, as a kernel would give it.
    fn give<S: BackendStorage>(&self, mine: impl Fn(&Storage) -> Option<&S>) -> Result<(S, Shape)> {
        let (storage, layout) = self.out.storage_and_layout();
        match mine(&storage) {
            Some(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            None => bail!("what is given is on another device"),
        }
    }

    fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        self.give(|storage| if let Storage::Cpu(storage) = storage { Some(storage) } else { None })
    }

    fn on_cuda(&self) -> Result<(CudaStorage, Shape)> {
        self.give(|storage| if let Storage::Cuda(storage) = storage { Some(storage) } else { None })
    }

    fn on_metal(&self) -> Result<(MetalStorage, Shape)> {
        self.give(|storage| if let Storage::Metal(storage) = storage { Some(storage) } else { None })
    }

    fn gradients<const N: usize>(&self, gradient: &Tensor) -> Result<[Option<Tensor>; N]> {
        let mut found = (self.backward)(&gradient.contiguous()?)?.into_iter();
        Ok([(); N].map(|()| found.next().flatten()))
    }
}

impl CustomOp1 for Given {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        self.on_metal()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [of_a] = self.gradients(gradient)?;
        Ok(of_a)
    }
}

impl CustomOp2 for Given {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        self.on_metal()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [of_a, of_b] = self.gradients(gradient)?;
        Ok((of_a, of_b))
    }
}

impl CustomOp3 for Given {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.on_metal()
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_a, of_b, of_c] = self.gradients(gradient)?;
        Ok((of_a, of_b, of_c))
    }
}
