# %% right: by the angle, without the law of sines
def slerp(start, end, t):
    a = start / start.norm()
    side = end - (end @ a) * a
    b = side / side.norm()
    angle = torch.atan2(end @ b, end @ a) * t[:, None]
    return (angle.cos() * a + angle.sin() * b) * (start.norm() + t[:, None] * (end.norm() - start.norm()))


# %% right: in float32, one time after the other
def slerp(start, end, t):
    a, b = F.normalize(start.float(), dim=0), F.normalize(end.float(), dim=0)
    omega = torch.arccos((a * b).sum())
    path = [(torch.sin((1 - s) * omega) * a + torch.sin(s * omega) * b) / torch.sin(omega) for s in t.float()]
    norms = [(1 - s) * start.norm() + s * end.norm() for s in t]
    return torch.stack([p * n for p, n in zip(path, norms)])


# %% wrong: lerp
# says: the straight line
def slerp(start, end, t):
    return torch.lerp(start, end, t[:, None])


# %% wrong: lerp, the long way
# says: the straight line
def slerp(start, end, t):
    return (1 - t)[:, None] * start + t[:, None] * end


# %% wrong: the norm of the start throughout
# says: the norm should change evenly
def slerp(start, end, t):
    a, b = start / start.norm(), end / end.norm()
    omega, t = torch.acos(a @ b), t[:, None]
    return start.norm() * (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()


# %% wrong: the end is made as long as the start
# says: the norm should change evenly
def slerp(start, end, t):
    end = end / end.norm() * start.norm()
    omega, t = torch.acos(F.cosine_similarity(start, end, dim=0)), t[:, None]
    return (((1 - t) * omega).sin() * start + (t * omega).sin() * end) / omega.sin()


# %% wrong: unit vectors
# says: lost their norms
def slerp(start, end, t):
    a, b = start / start.norm(), end / end.norm()
    omega, t = torch.acos(a @ b), t[:, None]
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()


# %% wrong: directions alone, normalised at the end
# says: lost their norms
def slerp(start, end, t):
    a = start / start.norm()
    side = end - (end @ a) * a
    angle = torch.acos(end @ a / end.norm()) * t[:, None]
    return F.normalize(angle.cos() * a + angle.sin() * side / side.norm(), dim=1)


# %% wrong: codes as columns
# says: one code per time
def slerp(start, end, t):
    return torch.lerp(start, end, t[:, None]).T


# %% wrong: weights of the directions used on the codes themselves
# says: is right
def slerp(start, end, t):
    omega, t = torch.acos(start @ end / start.norm() / end.norm()), t[:, None]
    return (((1 - t) * omega).sin() * start + (t * omega).sin() * end) / omega.sin()
