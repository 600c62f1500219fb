# %% right: written out, in float32
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    half = 0.5 * math.log(2 * math.pi)
    above = (-0.5 * ((r_end - rho_mean) / rho_scale).square() - rho_scale.log() - half).sum(1)
    below = (-0.5 * r_start.square() - half).sum(1)
    return (log_joint_end + above - log_q_start - below).float()


# %% wrong: no momenta
# says: this is the weight of z alone
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    return log_joint_end - log_q_start


# %% wrong: no momenta, otherwise
# says: this is the weight of z alone
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    return -(log_q_start - log_joint_end)


# %% wrong: no momentum at the start
# says: the momentum at the start is missing
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    return log_joint_end + td.Normal(rho_mean, rho_scale).log_prob(r_end).sum(-1) - log_q_start


# %% wrong: no momentum at the start, as one Gaussian
# says: the momentum at the start is missing
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    return log_joint_end - log_q_start + td.Independent(td.Normal(rho_mean, rho_scale), 1).log_prob(r_end)


# %% wrong: the momentum at the end
# says: is that of the start
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    log_rho = td.Normal(rho_mean, rho_scale).log_prob(r_end).sum(-1)
    return log_joint_end + log_rho - log_q_start - td.Normal(0.0, 1.0).log_prob(r_end).sum(-1)


# %% wrong: the momentum at the end, as one difference
# says: is that of the start
def hamiltonian_log_w(log_joint_end, log_q_start, r_start, r_end, rho_mean, rho_scale):
    difference = td.Normal(rho_mean, rho_scale).log_prob(r_end) - td.Normal(0.0, 1.0).log_prob(r_end)
    return log_joint_end - log_q_start + difference.sum(1)
