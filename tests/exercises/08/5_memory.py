# %% right: with modules, log-variances and torch's own cross-entropy
def train_and_decode(x, z):
    class VAE(nn.Module):
        def __init__(self, num_pixels):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(num_pixels, 100), nn.ReLU(), nn.Linear(100, 4))
            self.decoder = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, num_pixels))

        def loss(self, x):
            mu, log_var = self.encoder(x).split(2, -1)
            z = mu + torch.exp(log_var / 2) * torch.randn_like(mu)
            bce = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
            return (bce - 0.5 * (1 + log_var - mu**2 - log_var.exp()).sum()) / len(x)

    model = VAE(x.shape[1])
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(50):
        for index in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            model.loss(x[index]).backward()
            optimiser.step()
    return model.decoder(z)


# %% right: the KL sampled along with the rest
def train_and_decode(x, z):
    encoder = nn.Sequential(nn.Linear(x.shape[1], 64), nn.Tanh(), nn.Linear(64, 4))
    decoder = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, x.shape[1]))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    for _ in range(60):
        for batch in x[torch.randperm(len(x))].split(100):
            loc, log_scale = encoder(batch).chunk(2, -1)
            q = td.Normal(loc, log_scale.exp())
            code = q.rsample()
            log_w = td.Bernoulli(logits=decoder(code)).log_prob(batch).sum(-1)
            log_w = log_w + (td.Normal(0.0, 1.0).log_prob(code) - q.log_prob(code)).sum(-1)
            optimiser.zero_grad()
            (-log_w.mean()).backward()
            optimiser.step()
    return decoder(z)


# %% wrong: a mean over the pixels
# says: the code is empty
def train_and_decode(x, z):
    encoder = nn.Sequential(nn.Linear(x.shape[1], 128), nn.Tanh(), nn.Linear(128, 4))
    decoder = nn.Sequential(nn.Linear(2, 128), nn.Tanh(), nn.Linear(128, x.shape[1]))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    for _ in range(60):
        for batch in x[torch.randperm(len(x))].split(100):
            mu, log_sigma = encoder(batch).chunk(2, -1)
            logits = decoder(mu + log_sigma.exp() * torch.randn_like(mu))
            kl = 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1).mean()
            loss = F.binary_cross_entropy_with_logits(logits, batch) + kl
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return decoder(z)


# %% wrong: the decoder does not see the code
# says: the code is empty
def train_and_decode(x, z):
    logits = torch.logit(x.mean(0).clamp(0.01, 0.99))
    return logits.expand(len(z), -1)


# %% wrong: untrained
# says: no better than independent pixels
def train_and_decode(x, z):
    return nn.Sequential(nn.Linear(2, 128), nn.Tanh(), nn.Linear(128, x.shape[1]))(10 * z)


# %% wrong: downhill on the bound
# says: no better than independent pixels
def train_and_decode(x, z):
    encoder, decoder = nn.Linear(x.shape[1], 4), nn.Linear(2, x.shape[1])
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    for batch in x.split(100):
        mu, log_sigma = encoder(batch).chunk(2, -1)
        logits = decoder(mu + log_sigma.exp() * torch.randn_like(mu))
        loss = (batch * logits - F.softplus(logits)).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return decoder(z)


# %% wrong: probabilities
# says: probabilities rather than logits?
def train_and_decode(x, z):
    decoder = nn.Sequential(nn.Linear(2, 128), nn.Tanh(), nn.Linear(128, x.shape[1]))
    return decoder(z).sigmoid()


# %% wrong: the prior's variance of each pixel
# says: probabilities rather than logits?
def train_and_decode(x, z):
    return x.mean(0).expand(len(z), -1) + 0.01 * z[:, :1].abs()


# %% wrong: four epochs
# says: below what the bound reaches
def train_and_decode(x, z):
    encoder = nn.Sequential(nn.Linear(x.shape[1], 128), nn.Tanh(), nn.Linear(128, 4))
    decoder = nn.Sequential(nn.Linear(2, 128), nn.Tanh(), nn.Linear(128, x.shape[1]))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    for _ in range(4):
        for batch in x[torch.randperm(len(x))].split(100):
            mu, log_sigma = encoder(batch).chunk(2, -1)
            logits = decoder(mu + log_sigma.exp() * torch.randn_like(mu))
            kl = 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)
            loss = (kl - (batch * logits - F.softplus(logits)).sum(-1)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return decoder(z)


# %% wrong: the KL counted twice
# says: below what the bound reaches
def train_and_decode(x, z):
    encoder = nn.Sequential(nn.Linear(x.shape[1], 128), nn.Tanh(), nn.Linear(128, 4))
    decoder = nn.Sequential(nn.Linear(2, 128), nn.Tanh(), nn.Linear(128, x.shape[1]))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    for _ in range(40):
        for batch in x[torch.randperm(len(x))].split(100):
            mu, log_sigma = encoder(batch).chunk(2, -1)
            logits = decoder(mu + log_sigma.exp() * torch.randn_like(mu))
            kl = 1.0 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)
            loss = (kl - (batch * logits - F.softplus(logits)).sum(-1)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return decoder(z)


# %% wrong: images in place of logits at z
# says: return the logits at z
def train_and_decode(x, z):
    return x


# %% wrong: nothing
# says: return the logits at z
def train_and_decode(x, z):
    nn.Linear(2, x.shape[1])(z)


# %% wrong: a rate of learning that is too large for logs of scales
# says: NaN or infinite
def train_and_decode(x, z):
    decoder = nn.Linear(2, x.shape[1])
    return decoder(z) / 0.0


# %% wrong: the log of the decoder's means, some of them zero
# says: NaN or infinite
def train_and_decode(x, z):
    return x.mean(0).log().expand(len(z), -1) - z[:, :1] * 1e40
